package serial_test

import (
	"context"
	"fmt"
	"time"

	"espalier.dev/espalier/serial"
)

// A port of another machine, shared with RFC 2217, is opened by its address.
func ExampleOpen() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l, err := serial.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Write([]byte("hello"))
		}
	}()
	port, err := serial.Open(ctx, "tcp://"+l.Addr().String(), serial.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer port.Close()
	buf := make([]byte, 5)
	for n := 0; n < len(buf); {
		k, err := port.Read(ctx, buf[n:], time.Second)
		if err != nil {
			fmt.Println(err)
			return
		}
		n += k
	}
	fmt.Printf("%s\n", buf)
	// Output: hello
}
