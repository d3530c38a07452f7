package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// How long a program may take to answer for the first time, on a machine that is busy compiling.
const readyWithin = 2 * time.Minute

// A controlPlane is the running Kubernetes of a sandbox.
type controlPlane struct {
	dir      *stateDir
	ports    ports
	children *children
	egress   string // path of a socket; empty: none
}

func (c *controlPlane) apiURL() string { return "https://" + loopback(c.ports.API) }

// startEtcd returns once etcd has a leader, itself.
func (c *controlPlane) startEtcd(ctx context.Context) error {
	client, peer := "http://"+loopback(c.ports.Etcd), "http://"+loopback(c.ports.EtcdPeer)
	ch, err := c.children.start("etcd",
		"--name=sandbox",
		"--data-dir="+c.dir.file("etcd"),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer,
		"--initial-cluster=sandbox="+peer,
		"--unsafe-no-fsync", // durability across power loss is not wanted here, and costs half the writes
		"--heartbeat-interval=50", "--election-timeout=250",
		"--quota-backend-bytes="+strconv.Itoa(8<<30),
		"--log-level=warn",
	)
	if err != nil {
		return err
	}
	return ch.await(ctx, func(ctx context.Context) error {
		return answersOK(ctx, http.DefaultClient, client+"/health")
	})
}

// startAPIServer returns once the API server says it is ready.
func (c *controlPlane) startAPIServer(ctx context.Context) error {
	args, err := c.egressArgs()
	if err != nil {
		return err
	}
	ch, err := c.children.start("kube-apiserver", append(args,
		"--etcd-servers=http://"+loopback(c.ports.Etcd),
		"--bind-address=127.0.0.1",
		"--secure-port="+strconv.Itoa(c.ports.API),
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // a loopback address is not a valid endpoint
		"--service-cluster-ip-range=10.0.0.0/16",
		"--authorization-mode=Node,RBAC",
		"--client-ca-file="+c.dir.file("ca.crt"),
		"--tls-cert-file="+c.dir.file("server.crt"),
		"--tls-private-key-file="+c.dir.file("server.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+c.dir.file("sa.key"),
		"--service-account-signing-key-file="+c.dir.file("sa.key"),
		"--allow-privileged=true",
	)...)
	if err != nil {
		return err
	}
	config, err := c.restConfig()
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	defer client.CloseIdleConnections()
	return ch.await(ctx, func(ctx context.Context) error {
		return answersOK(ctx, client, c.apiURL()+"/readyz")
	})
}

// egressArgs tell the API server who connects it to addresses inside the cluster.
func (c *controlPlane) egressArgs() ([]string, error) {
	if c.egress == "" {
		return nil, nil
	}
	text := fmt.Sprintf(`{"apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration", "egressSelections": [{"name": "cluster",
		"connection": {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": %q}}}}]}`, c.egress)
	file := c.dir.file("egress.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write egress selection: %w", err)
	}
	return []string{"--egress-selector-config-file=" + file}, nil
}

// startControllers starts what acts on the cluster's objects. None of these listens.
func (c *controlPlane) startControllers() error {
	kubeconfig := "--kubeconfig=" + c.dir.file("kubeconfig")
	if err := os.WriteFile(c.dir.file("kwok.yaml"), stages, 0o600); err != nil {
		return fmt.Errorf("write stages: %w", err)
	}
	for _, program := range [][]string{
		{
			"kube-controller-manager", kubeconfig, "--leader-elect=false", "--secure-port=0",
			"--service-account-private-key-file=" + c.dir.file("sa.key"),
			"--root-ca-file=" + c.dir.file("ca.crt"),
			"--use-service-account-credentials=false",
			"--node-monitor-grace-period=5m", // a busy machine must not look like lost nodes
			"--kube-api-qps=1000", "--kube-api-burst=2000",
		},
		{
			"kube-scheduler", kubeconfig, "--leader-elect=false", "--secure-port=0",
			"--kube-api-qps=1000", "--kube-api-burst=2000",
		},
		{"kwok", kubeconfig, "--config=" + c.dir.file("kwok.yaml"), "--server-address="},
	} {
		if _, err := c.children.start(program[0], program[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// freeNodes ends the leases of a kept directory's nodes. The kwok of an earlier run held them, under a name of
// its own, and a new one would leave those nodes alone until the leases expire.
func (c *controlPlane) freeNodes(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	err = api.CoordinationV1().Leases("kube-node-lease").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("end node leases: %w", err)
	}
	return nil
}

// awaitAccount returns once the namespace "default" has its service account, without which it takes no pods.
// By then the controllers work.
func (c *controlPlane) awaitAccount(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return await(ctx, "the default service account", func(ctx context.Context) error {
		_, err := api.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// await asks until the child answers, it ends, or readyWithin is over.
func (ch *child) await(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-ch.gone:
			cancel(ch.failure())
		case <-ctx.Done():
		}
	}()
	return await(ctx, ch.name, ask)
}

// await asks until there is no error, ctx ends, or readyWithin is over.
func await(ctx context.Context, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (last answer: %w)", what, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// answersOK is nil when a GET of the URL gets status 200 within two seconds.
func answersOK(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

// writeKubeconfig writes the administrator's kubeconfig, with everything it needs inside.
func (c *controlPlane) writeKubeconfig() error {
	config := clientcmdapi.NewConfig()
	cluster, user, at := clientcmdapi.NewCluster(), clientcmdapi.NewAuthInfo(), clientcmdapi.NewContext()
	for _, part := range []struct {
		file string
		into *[]byte
	}{
		{"ca.crt", &cluster.CertificateAuthorityData},
		{"admin.crt", &user.ClientCertificateData},
		{"admin.key", &user.ClientKeyData},
	} {
		data, err := os.ReadFile(c.dir.file(part.file))
		if err != nil {
			return fmt.Errorf("write kubeconfig: %w", err)
		}
		*part.into = bytes.TrimSpace(data)
	}
	cluster.Server = c.apiURL()
	at.Cluster, at.AuthInfo = "sandbox", "admin"
	config.Clusters["sandbox"], config.AuthInfos["admin"], config.Contexts["sandbox"] = cluster, user, at
	config.CurrentContext = "sandbox"
	if err := clientcmd.WriteToFile(*config, c.dir.file("kubeconfig")); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}

// restConfig is the administrator's way in, without client-side rate limits.
func (c *controlPlane) restConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.dir.file("kubeconfig"))
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1
	return config, nil
}

func (c *controlPlane) client() (*kubernetes.Clientset, error) {
	config, err := c.restConfig()
	if err != nil {
		return nil, err
	}
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return api, nil
}
