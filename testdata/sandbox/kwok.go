package main

import (
	_ "embed"
	"os"

	"github.com/spf13/pflag"
	"sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

// stages says how simulated nodes and pods behave; the file explains itself.
//
//go:embed kwok.yaml
var stages []byte

// runKwok is kwok's own command line: it keeps the Node objects alive and plays the kubelets' part for
// the pods bound to them.
func runKwok() {
	freshFlags("kwok")
	global := pflag.NewFlagSet("global", pflag.ContinueOnError)
	global.ParseErrorsAllowlist.UnknownFlags = true
	global.Usage = func() {}

	ctx, logger := log.InitFlags(signals.SetupSignalContext(), global)
	ctx, err := config.InitFlags(ctx, global)
	if err == nil {
		command := kwok.NewCommand(ctx)
		command.PersistentFlags().AddFlagSet(global)
		err = command.ExecuteContext(ctx)
	}
	if err != nil {
		logger.Error("kwok stopped", "err", err)
		os.Exit(1)
	}
}
