// Command check says whether each link of a table still answers.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"example.org/shortlinks/links"
)

func main() {
	table, err := links.Read(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	client := http.Client{Timeout: 10 * time.Second}
	status := 0
	for name, address := range table {
		response, err := client.Head(address)
		if err == nil {
			response.Body.Close()
		}
		if err != nil || response.StatusCode >= 400 {
			fmt.Println(name, address)
			status = 1
		}
	}
	os.Exit(status)
}
