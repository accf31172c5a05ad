// Command oracle answers what BuildKit's own packages say of Dockerfiles and words: one JSON object a line in and out.
//
// Texts that may hold bytes that are not UTF-8 travel as base64 ([]byte in Go's JSON).
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type request struct {
	Op     string            `json:"op"`
	Data   []byte            `json:"data"`
	Env    map[string][]byte `json:"env"`
	Escape string            `json:"escape"`
	Paths  []string          `json:"paths"`
}

type node struct {
	Cmd         string           `json:"cmd"`
	Start       int              `json:"start"`
	End         int              `json:"end"`
	Flags       []string         `json:"flags,omitempty"`
	Args        []string         `json:"args"`
	JSON        bool             `json:"json,omitempty"`
	Heredocs    []parser.Heredoc `json:"heredocs,omitempty"`
	PrevComment []string         `json:"prev_comment,omitempty"`
	Original    string           `json:"original"`
}

type parsed struct {
	Error            string `json:"error,omitempty"`
	InstructionError string `json:"instruction_error,omitempty"`
	Escape           string `json:"escape,omitempty"`
	Sexp             string `json:"sexp"`
	Nodes            []node `json:"nodes"`
	Warnings         int    `json:"warnings"`
	Stages           int    `json:"stages"`
	CheckError       string `json:"check_error,omitempty"`
	MountError       string `json:"mount_error,omitempty"`
	MountUnknown     bool   `json:"mount_unknown"`
}

type expanded struct {
	Error      string   `json:"error,omitempty"`
	Result     []byte   `json:"result"`
	Words      [][]byte `json:"words"`
	Matched    []string `json:"matched"`
	Unmatched  []string `json:"unmatched"`
	WordsError string   `json:"words_error,omitempty"`
}

type split struct {
	Error string   `json:"error,omitempty"`
	Words [][]byte `json:"words"`
}

type ignored struct {
	Error string `json:"error,omitempty"`
	Hides []bool `json:"hides"`
}

// What an ignore file keeps out, asked as fsutil's walk asks: from the root down, each folder's answer given on.
func ignore(data []byte, paths []string) ignored {
	lines, err := ignorefile.ReadAll(bytes.NewReader(data))
	if err != nil {
		return ignored{Error: err.Error()}
	}
	matcher, err := patternmatcher.New(lines)
	if err != nil {
		return ignored{Error: err.Error()}
	}
	answer := ignored{Hides: []bool{}}
	for _, path := range paths {
		var above patternmatcher.MatchInfo
		hidden := false
		parts := strings.Split(path, "/")
		for depth := range parts {
			hidden, above, err = matcher.MatchesUsingParentResults(strings.Join(parts[:depth+1], "/"), above)
			if err != nil {
				return ignored{Error: err.Error()}
			}
		}
		answer.Hides = append(answer.Hides, hidden)
	}
	return answer
}

type environment map[string][]byte

func (e environment) Get(name string) (string, bool) {
	value, ok := e[name]
	return string(value), ok
}

func (e environment) Keys() []string {
	return keys(e)
}

func keys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func arguments(n *parser.Node) []string {
	var values []string
	for next := n.Next; next != nil; next = next.Next {
		if len(next.Children) > 0 {
			values = append(values, "\x00sub:"+next.Children[0].Dump())
		} else {
			values = append(values, next.Value)
		}
	}
	return values
}

// A panic inside BuildKit is a refusal too: its own error says so.
func guarded(err *string) {
	if fault := recover(); fault != nil {
		*err = fmt.Sprintf("panic: %v", fault)
	}
}

func parseOnly(data []byte, answer *parsed) (result *parser.Result) {
	defer guarded(&answer.Error)
	result, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		answer.Error = err.Error()
		return nil
	}
	return result
}

func checkInstructions(ast *parser.Node, answer *parsed) {
	defer guarded(&answer.InstructionError)
	stages, _, err := instructions.Parse(ast, linter.New(&linter.Config{}))
	if err != nil {
		answer.InstructionError = err.Error()
		return
	}
	answer.Stages = len(stages)
	for _, stage := range stages {
		for _, command := range stage.Commands {
			if run, ok := command.(*instructions.RunCommand); ok {
				checkMounts(run, answer)
			}
		}
	}
}

// The values of --mount are looked at when the stage is built, after expansion; one that is no plain text is left as
// it is, and then the verdict may be wrong.
func checkMounts(run *instructions.RunCommand, answer *parsed) {
	unknown := false
	err := run.Expand(func(word string) (string, error) {
		unknown = unknown || strings.ContainsAny(word, "$'\"\\`")
		return word, nil
	})
	answer.MountUnknown = answer.MountUnknown || unknown
	if err != nil && !unknown && answer.MountError == "" {
		answer.MountError = err.Error()
	}
}

func parse(data []byte) parsed {
	answer := parsed{Nodes: []node{}}
	result := parseOnly(data, &answer)
	if result == nil {
		return answer
	}
	answer.Escape = string(result.EscapeToken)
	answer.Sexp = result.AST.Dump()
	answer.Warnings = len(result.Warnings)
	for _, child := range result.AST.Children {
		answer.Nodes = append(answer.Nodes, node{
			Cmd:         child.Value,
			Start:       child.StartLine,
			End:         child.EndLine,
			Flags:       child.Flags,
			Args:        arguments(child),
			JSON:        child.Attributes["json"],
			Heredocs:    child.Heredocs,
			PrevComment: child.PrevComment,
			Original:    child.Original,
		})
	}
	checkInstructions(result.AST, &answer)
	// dockerfile2llb refuses a file whose check directive it cannot read.
	options, _, _, _ := parser.ParseDirective("check", data)
	if _, err := linter.ParseLintOptions(options); err != nil {
		answer.CheckError = err.Error()
	}
	return answer
}

func expand(word []byte, env environment, escape string) (answer expanded) {
	defer guarded(&answer.Error)
	token := []rune(escape)[0]
	result, err := shell.NewLex(token).ProcessWordWithMatches(string(word), env)
	if err != nil {
		answer.Error = err.Error()
	}
	answer.Result = []byte(result.Result)
	answer.Matched = keys(result.Matched)
	answer.Unmatched = keys(result.Unmatched)
	words, err := shell.NewLex(token).ProcessWords(string(word), env)
	if err != nil {
		answer.WordsError = err.Error()
	}
	answer.Words = [][]byte{}
	for _, each := range words {
		answer.Words = append(answer.Words, []byte(each))
	}
	return answer
}

// BuildKit's parseWords is not exported: ARG hands its words on unchanged, behind one that keeps flags away.
func splitWords(text []byte, escape string) (answer split) {
	defer guarded(&answer.Error)
	file := "# escape=" + escape + "\nARG x " + string(text) + "\n"
	result, err := parser.Parse(strings.NewReader(file))
	if err != nil {
		return split{Error: err.Error()}
	}
	answer.Words = [][]byte{}
	for next := result.AST.Children[0].Next.Next; next != nil; next = next.Next {
		answer.Words = append(answer.Words, []byte(next.Value))
	}
	return answer
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	write := json.NewEncoder(out)
	write.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			return
		}
		var asked request
		var answer any
		if err := json.Unmarshal(line, &asked); err != nil {
			answer = map[string]string{"error": "bad request: " + err.Error()}
		} else {
			switch asked.Op {
			case "parse":
				answer = parse(asked.Data)
			case "expand":
				answer = expand(asked.Data, asked.Env, asked.Escape)
			case "ignore":
				answer = ignore(asked.Data, asked.Paths)
			case "split":
				answer = splitWords(asked.Data, asked.Escape)
			default:
				answer = map[string]string{"error": "unknown op " + asked.Op}
			}
		}
		if err := write.Encode(answer); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Flush()
	}
}
