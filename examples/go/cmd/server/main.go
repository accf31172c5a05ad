// Command server redirects short links.
package main

import (
	"log"
	"net/http"
	"os"
	"strings"

	"example.org/shortlinks/links"
)

func main() {
	root := os.Args[1]
	table, err := links.Read(root + "/links.yaml")
	if err != nil {
		log.Fatal(err)
	}
	pages := http.FileServer(http.Dir(root + "/web"))
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		if address, found := table[strings.TrimPrefix(request.URL.Path, "/")]; found {
			http.Redirect(response, request, address, http.StatusFound)
			return
		}
		pages.ServeHTTP(response, request)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
