// A proxy as anybody writes it in Go: io.Copy from one TCP connection to the other, which splices.
//
// proxy LISTEN ORIGIN
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func copyOneWay(to, from *net.TCPConn, done chan<- bool) {
	io.Copy(to, from)
	to.CloseWrite()
	done <- true
}

func proxy(client *net.TCPConn, origin string) {
	defer client.Close()
	connection, err := net.Dial("tcp", origin)
	if err != nil {
		log.Print(err)
		return
	}
	server := connection.(*net.TCPConn)
	defer server.Close()
	done := make(chan bool)
	go copyOneWay(server, client, done)
	go copyOneWay(client, server, done)
	<-done
	<-done
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go proxy(client.(*net.TCPConn), os.Args[2])
	}
}
