/* What one end of a churned connection does when it may: read, write, shut, close, leave.
 * Non-blocking. */
#ifndef STRESS_CHURN_END_H
#define STRESS_CHURN_END_H

#include <sys/epoll.h>
#include <sys/uio.h>

#include "life.h"

enum { BUFFER = 64 << 10 };

struct worker {
	const struct options *options;
	struct totals totals;
	unsigned number;
	int epoll;
	unsigned char buffer[BUFFER];
	_Atomic uint64_t beat; /* µs: the loop still turns */
};

static inline struct end *other_end(struct end *e)
{
	return &e->life->end[!e->side];
}

static inline void end_fault(struct worker *w, const struct end *e, bool corrupt, const char *what)
{
	life_fault(&w->totals, w->options->seed, e, corrupt, what);
}

/* Bytes that this end lets itself read now: a leaver stops at its mark, a staller at its stall. */
static inline uint32_t may_read(const struct end *e)
{
	uint32_t limit = UINT32_MAX;

	if (e->eof || e->refused || e->stall_until)
		return 0;
	if (e->part->leaves)
		limit = e->part->leave_read - e->read;
	if (e->part->stall_ms && !e->stalled && e->part->stall_at - e->read < limit)
		limit = e->part->stall_at - e->read;
	return limit;
}

static inline uint32_t may_write(const struct end *e)
{
	const bool ready[] = {
		[AT_ONCE] = true,
		[AFTER_FIRST_BYTE] = e->read > 0,
		[AFTER_ALL] = e->read == e->expects,
		[AFTER_EOF] = e->eof,
	};

	return e->refused || e->send_refused || !ready[e->part->start] ? 0
								       : e->part->send - e->sent;
}

static inline void close_end(struct worker *w, struct end *e)
{
	uint64_t woke = now_us() - e->life->left_at;

	if (other_end(e)->left && e->life->other_was_blocked) {
		w->totals.late_wakes += woke > 100000;
		if (woke > w->totals.slowest_wake_us)
			w->totals.slowest_wake_us = woke;
	}
	close(e->fd);
	e->closed = true;
	e->life->moved_at = now_us();
}

/*
 * Errors that the other end's leaving may give. ETIMEDOUT: never in plain TCP; in the map a close
 * with unread bytes is a FIN, and where the window that it opens is not enough, TCP_USER_TIMEOUT
 * ends the wait instead of a reset.
 */
static inline bool may_follow(enum ending ending, int error)
{
	bool closes = ending == CLOSE_UNREAD || ending == CLOSE_BLOCKED;

	return error == ECONNRESET || error == EPIPE || (closes && error == ETIMEDOUT);
}

/* An error of recv or send. It is right only after the other end left. */
static inline void meet_error(struct worker *w, struct end *e, const char *call)
{
	int error = errno;
	char what[128];

	if (error > 0 && error < MOST_ERRNO)
		w->totals.errors[error]++;
	if (!other_end(e)->left || !may_follow(e->life->plan.ending, error)) {
		snprintf(what, sizeof(what), "%s: %s", call, strerror(error));
		end_fault(w, e, false, what);
	}
}

static inline void check_bytes(struct worker *w, struct end *e, size_t n, const char *call)
{
	size_t good = pattern_check(e->key_in, e->read, w->buffer, n);
	char what[256];

	if (good == n && e->read + n <= other_end(e)->sent)
		return;
	snprintf(what, sizeof(what),
		 "%s of %zu at %u: wrong from +%zu (got %02x, expected %02x; belongs at %lld), the "
		 "other end has sent %u",
		 call, n, e->read, good, good < n ? w->buffer[good] : 0,
		 pattern_byte(e->key_in, e->read + good),
		 (long long)(good < n ? pattern_find(e->key_in, e->expects, w->buffer + good,
						     n - good)
				      : -1),
		 other_end(e)->sent);
	end_fault(w, e, true, what);
}

/* EOF is right exactly at the end of what the other end sends, or after it left. */
static inline void meet_eof(struct worker *w, struct end *e)
{
	struct end *o = other_end(e);

	e->eof = true;
	if (e->read != e->expects && !o->left)
		end_fault(w, e, false, "EOF before the last byte");
	else if (!o->shut && !o->closed)
		end_fault(w, e, false, "EOF though the other end has neither shut nor closed");
}

static inline bool read_once(struct worker *w, struct end *e, uint32_t limit)
{
	size_t asked = rng_log(&e->rng, 1, BUFFER);
	ssize_t n;

	if (asked > limit)
		asked = limit;
	if (rng_one_in(&e->rng, 16)) {
		n = recv(e->fd, w->buffer, asked, MSG_PEEK);
		if (n > 0)
			check_bytes(w, e, (size_t)n, "peek");
		w->totals.peeks++;
	}
	n = recv(e->fd, w->buffer, asked, 0);
	if (!e->part->edge || (n < (ssize_t)asked && !e->hung_up) || (n < 0 && errno == EAGAIN))
		e->readable = false;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		meet_error(w, e, "recv");
		e->refused = true;
	} else if (n == 0) {
		meet_eof(w, e);
	} else {
		check_bytes(w, e, (size_t)n, "recv");
		e->read += (uint32_t)n;
		w->totals.bytes += (uint64_t)n;
	}
	return true;
}

/* Plain, or gathered from three pieces; MSG_MORE only when more will follow whatever happens. */
static inline ssize_t send_some(struct worker *w, struct end *e, size_t n, bool more)
{
	struct iovec piece[3];
	struct msghdr message = {.msg_iov = piece, .msg_iovlen = 3};
	int flags = MSG_NOSIGNAL | (more && rng_one_in(&e->rng, 32) ? MSG_MORE : 0);
	size_t first = rng_below(&e->rng, n + 1), second = rng_below(&e->rng, n - first + 1);

	if (!rng_one_in(&e->rng, 8))
		return send(e->fd, w->buffer, n, flags);
	piece[0] = (struct iovec){w->buffer, first};
	piece[1] = (struct iovec){w->buffer + first, second};
	piece[2] = (struct iovec){w->buffer + first + second, n - first - second};
	return sendmsg(e->fd, &message, flags);
}

static inline bool write_once(struct worker *w, struct end *e, uint32_t left)
{
	size_t asked = rng_log(&e->rng, 1, BUFFER);
	ssize_t n;

	if (asked > left)
		asked = left;
	pattern_fill(e->key_out, e->sent, w->buffer, asked);
	n = send_some(w, e, asked, asked < left);
	if (!e->part->edge || n < (ssize_t)asked)
		e->writable = false;
	if (n > 0 || !e->wrote_at)
		e->wrote_at = now_us();
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		meet_error(w, e, "send");
		e->send_refused = true; /* what came before the error is still read, and checked */
	} else {
		e->sent += (uint32_t)n;
	}
	return true;
}

/* It has more to send and could not for some time: its socket is not writable. */
static inline bool blocked_in_send(const struct end *e)
{
	return e->wrote_at && may_write(e) && !e->writable && !e->closed &&
	       now_us() - e->wrote_at > 1500;
}

/* The leaver has sent and read enough, the other end is blocked if that is the plan, and the pause
 * after is over. */
static inline bool leaves_now(struct end *e)
{
	struct end *o = other_end(e);
	uint64_t now;

	if (!e->part->leaves || e->sent < e->part->leave_sent || e->read < e->part->leave_read)
		return false;
	now = now_us();
	if (!e->at_mark && e->life->plan.ending >= CLOSE_BLOCKED && o->sent < o->part->send &&
	    !blocked_in_send(o)) {
		e->look_at = now + 1000;
		return false;
	}
	if (!e->at_mark) {
		e->at_mark = true;
		e->leave_at = now + e->part->leave_ms * 1000ULL;
	}
	e->look_at = e->leave_at;
	return e->leave_at <= now;
}

static inline void leave(struct worker *w, struct end *e)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct end *o = other_end(e);
	bool resets = e->life->plan.ending == RESET || e->life->plan.ending == RESET_BLOCKED;

	if (resets && setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		die("SO_LINGER");
	e->left = true;
	e->life->left_at = now_us();
	e->life->other_was_blocked = blocked_in_send(o) && !o->stall_until;
	w->totals.blocked_when_left += e->life->other_was_blocked;
	close_end(w, e);
}

/* Does all that this end may do now. Sets e->closed when it is over. */
static inline void run_end(struct worker *w, struct end *e)
{
	uint64_t now = now_us();
	bool moved = true;
	uint32_t n;

	if (e->stall_until && e->stall_until <= now) {
		e->stall_until = 0;
		e->life->moved_at = now;
	}
	e->look_at = 0;
	while (moved) {
		moved = false;
		if (leaves_now(e)) {
			leave(w, e);
			break;
		}
		n = may_read(e);
		if (n && e->readable && read_once(w, e, n))
			moved = true;
		if (e->part->stall_ms && !e->stalled && e->read >= e->part->stall_at) {
			e->stalled = true;
			e->stall_until = now_us() + e->part->stall_ms * 1000ULL;
			w->totals.stalls++;
		}
		n = may_write(e);
		if (n && e->writable && write_once(w, e, n))
			moved = true;
		if (e->part->shuts && !e->shut && !e->send_refused && e->sent == e->part->send) {
			/* ENOTCONN: a reset came first. */
			if (shutdown(e->fd, SHUT_WR) && (errno != ENOTCONN || !other_end(e)->left))
				end_fault(w, e, false, "shutdown");
			e->shut = true;
		}
		if (e->refused ||
		    (e->sent == e->part->send &&
		     (e->part->closes_at_count ? e->read == e->expects : e->eof)) ||
		    (e->eof && other_end(e)->left && !may_write(e))) {
			close_end(w, e);
			break;
		}
		if (moved)
			e->life->moved_at = now_us();
	}
}

#endif
