// Command sandbox is a complete Kubernetes control plane with a GKE emulator beside it, in one file:
// what hubcap's end-to-end tests and its demo stand on. It stands outside the pipeline, at the far end
// of providers/kube and providers/gke, and takes the place of a real cluster and a real project.
//
//	sandbox up [flags]     start everything on 127.0.0.1, print one line of JSON, run until signalled
//	sandbox kubectl ARGS   kubectl of the same Kubernetes version
//
// The other commands (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok) are the stock
// programs. "sandbox up" runs each as a process of its own, from this same file.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // the components' --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // the components' client metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // the components' build_info metric
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = `usage: sandbox up [flags]      start the sandbox and run until signalled (-h: its flags)
       sandbox kubectl ARGS    kubectl, for the cluster named by KUBECONFIG or --kubeconfig
       sandbox etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kwok ARGS
                               the stock programs
`

// applets are the stock programs inside this file. Each gets os.Args with its own name first.
var applets = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          func() { os.Exit(cli.Run(apiserver.NewAPIServerCommand())) },
	"kube-controller-manager": func() { os.Exit(cli.Run(controllers.NewControllerManagerCommand())) },
	"kube-scheduler":          func() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) },
	"kubectl":                 runKubectl,
	"kwok":                    runKwok,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, linked := applets[name] // a link named kubectl to this file is kubectl
	if !linked {
		if len(os.Args) < 2 {
			fmt.Fprint(os.Stderr, usage)
			os.Exit(2)
		}
		name = os.Args[1]
		os.Args = append([]string{name}, os.Args[2:]...)
		run = applets[name]
	}
	switch {
	case run != nil:
		run()
	case name == "up":
		os.Exit(upMain(os.Args[1:]))
	case name == "help" || name == "-h" || name == "--help":
		fmt.Print(usage)
	default:
		fmt.Fprintf(os.Stderr, "sandbox: unknown command %q\n%s", name, usage)
		os.Exit(2)
	}
}

func runKubectl() {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}

// freshFlags empties the process-wide flag set. The components register --version and others there at
// start-up, which collide with the flags a program with its own command line defines.
func freshFlags(name string) *pflag.FlagSet {
	pflag.CommandLine = pflag.NewFlagSet(name, pflag.ContinueOnError)
	return pflag.CommandLine
}
