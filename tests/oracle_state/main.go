// Command oracle_state answers what BuildKit makes of a Dockerfile's stages: one base64 text a line in, one JSON object out.
//
// It runs dockerfile2llb on the file cut off behind each stage, with images that are all alike: they set one variable, and
// which of them BuildKit asks for tells which stages it needs.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

type stage struct {
	Error   string            `json:"error,omitempty"`
	Env     []string          `json:"env"`  // of the image
	Seen    map[string]string `json:"seen"` // by a RUN at the end of the stage
	User    string            `json:"user"`
	Workdir string            `json:"workdir"`
	Shell   []string          `json:"shell"`
	Images  []string          `json:"images"`
}

type answer struct {
	Error  string  `json:"error,omitempty"`
	Stages []stage `json:"stages"`
}

const imageConfig = `{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin","BASE=base"],"User":"someone","WorkingDir":"/base"},` +
	`"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}`

type resolver struct {
	lock  sync.Mutex
	asked []string
}

func (r *resolver) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.asked = append(r.asked, ref)
	return ref, "", []byte(imageConfig), nil
}

func guarded(err *string) {
	if fault := recover(); fault != nil {
		*err = fmt.Sprintf("panic: %v", fault)
	}
}

func build(text []byte) (result stage) {
	defer guarded(&result.Error)
	images := &resolver{}
	platform := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	built, err := dockerfile2llb.Dockerfile2LLB(context.Background(), text, dockerfile2llb.ConvertOpt{
		MetaResolver:   images,
		TargetPlatform: &platform,
		MainContext:    mainContext(),
	})
	if err != nil {
		return stage{Error: err.Error()}
	}
	result.Seen = map[string]string{}
	seen, err := built.State.Env(context.Background())
	if err != nil {
		return stage{Error: err.Error()}
	}
	for _, name := range seen.Keys() {
		result.Seen[name], _ = seen.Get(name)
	}
	config := built.Image.Config
	result.Env, result.User, result.Workdir, result.Shell = config.Env, config.User, config.WorkingDir, config.Shell
	slices.Sort(images.asked)
	result.Images = slices.Compact(images.asked)
	return result
}

func mainContext() *llb.State {
	state := llb.Local("context")
	return &state
}

func answerTo(text []byte) (result answer) {
	defer guarded(&result.Error)
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return answer{Error: err.Error()}
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	last := -1
	for _, node := range append(parsed.AST.Children, &parser.Node{Value: "from"}) {
		if strings.EqualFold(node.Value, "from") && last >= 0 {
			result.Stages = append(result.Stages, build(bytes.Join(lines[:last], nil)))
		}
		if strings.EqualFold(node.Value, "from") || last >= 0 {
			last = node.EndLine
		}
	}
	return result
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			return
		}
		text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(line)))
		result := answer{}
		if err != nil {
			result.Error = "bad request: " + err.Error()
		} else {
			result = answerTo(text)
		}
		if err := json.NewEncoder(out).Encode(result); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Flush()
	}
}
