"""Settings as the data plane has them."""

from sockhop.control.settings import Settings
from sockhop.kernel import buffers, objects
from sockhop.kernel.abi import MAGIC, Config

# What cannot change while an instance lives: its maps have their sizes, and its programs are chosen.
FIXED = ("capacity", "mode")
_COUNTS = (
    "queue_messages",
    "burst_messages",
    "burst_bytes",
    "small_bytes",
    "learn_connections",
    "learn_reads",
    "least_messages",
)
_NANOSECONDS = 1e9


def config_of(settings: Settings) -> Config:
    """Return the configuration of a new instance."""
    eager = settings.mode == "eager"
    config = Config(magic=MAGIC, build=objects.build_id(), capacity=settings.capacity, eager=eager)
    config.watched, config.guarded = not eager, True
    tune(config, settings)
    return config


def tune(config: Config, settings: Settings) -> None:
    """Change what may change at any time; connections go on."""
    config.recheck_ns = int(settings.recheck_seconds * _NANOSECONDS)
    config.review_ns = int(settings.review_seconds * _NANOSECONDS)
    config.rcvbuf = settings.receive_buffer
    config.room = buffers.receive_buffer(settings.receive_buffer)
    for name in _COUNTS:
        setattr(config, name, getattr(settings, name))


def settings_of(config: Config) -> Settings:
    """Return the settings that an instance has."""
    counts = {name: getattr(config, name) for name in _COUNTS}
    counts["small_bytes"] = counts["small_bytes"] or Settings.small_bytes  # older versions left this word 0
    return Settings(
        mode="eager" if config.eager else "auto",
        capacity=config.capacity,
        recheck_seconds=config.recheck_ns / _NANOSECONDS,
        review_seconds=config.review_ns / _NANOSECONDS,
        receive_buffer=config.rcvbuf,
        **counts,
    )
