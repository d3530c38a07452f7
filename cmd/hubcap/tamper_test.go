package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hubcap/engine/plan"
	"hubcap/providers/memory"
)

// tamper changes the last run behind hubcap's back: tamper plan COMMAND… makes its plan
// run a program; tamper entry removes an entry; tamper tail all but the first; tamper
// unsealed leaves what version 1 would have written; tamper config NAME gives it to
// another config. tamper origin deletes the record of where the config is applied from,
// and tamper journal all runs.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	w := open(ts)
	switch args[0] {
	case "origin":
		w.ForgetOrigin("default")
		keep(ts, w)
		return
	case "journal":
		w.Forget()
		keep(ts, w)
		return
	}
	var all []memory.Stored
	w.Tamper(func(s memory.Stored) { all = append(all, s) })
	s := all[len(all)-1]
	switch args[0] {
	case "plan":
		p, err := plan.Decode(*s.Document)
		ts.Check(err)
		p.Waves[0].Steps[0].Gates = []plan.Gate{{
			Name: "ok", Interval: time.Second, Failures: 1,
			Exec: &plan.ExecCheck{Command: args[1:], Dir: ts.MkAbs("."), Timeout: 5 * time.Second},
		}}
		*s.Document, _, err = plan.Encode(p, plan.Mask{})
		ts.Check(err)
	case "entry":
		*s.Lines = append((*s.Lines)[:1], (*s.Lines)[2:]...)
	case "tail":
		*s.Lines = (*s.Lines)[:1]
	case "unsealed":
		s.Run.FormatVersion, s.Run.Seal, s.Run.DocumentDigest, s.Run.SecretsDigest = "", "", "", ""
	case "config":
		s.Run.Config = args[1]
	default:
		ts.Fatalf("tamper %s: unknown", args[0])
	}
	keep(ts, w)
}

// redate gives a plan file another time, and the ID that fits: redate FILE TIME NEW
func redate(ts *testscript.TestScript, _ bool, args []string) {
	created := regexp.MustCompile(`(?m)^(  "created": )"[^"]*"`)
	text := created.ReplaceAllString(ts.ReadFile(args[0]), `${1}"`+args[1]+`"`)
	sum := sha256.New()
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, `  "id": `) {
			sum.Write([]byte(line))
		}
	}
	id := regexp.MustCompile(`(?m)^(  "id": )"[^"]*"`)
	text = id.ReplaceAllString(text, `${1}"`+hex.EncodeToString(sum.Sum(nil))+`"`)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o644))
}

// seals does to the world's seals what may happen to them: seals lose drops the
// key pair; seals strip KIND NAME takes the seal off an object; seals copy KIND NAME
// OTHER makes a copy of one with all its marks.
func seals(ts *testscript.TestScript, _ bool, args []string) {
	w := open(ts)
	switch args[0] {
	case "lose":
		w.LoseKey()
	case "strip":
		w.Unseal(object(args[1], args[2]))
	case "copy":
		w.Copy(object(args[1], args[2]), object(args[1], args[3]))
	default:
		ts.Fatalf("seals %s: unknown", args[0])
	}
	keep(ts, w)
}
