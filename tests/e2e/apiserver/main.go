// Serves the Kubernetes API for the tests: etcd and kube-apiserver in one process, on loopback.
//
// No controllers run, and no nodes: what is applied is admitted, defaulted and stored, and nothing acts on it.
// Prints the path of a kubeconfig once the server is ready. Stops at SIGTERM, or when its standard input is
// closed, so that it never outlives the test that started it.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

func main() {
	dir := flag.String("dir", "", "a directory of the server's own: data, certificates, kubeconfig, server.log")
	port := flag.Int("port", 0, "port on 127.0.0.1; 0: any that is free")
	flag.Parse()
	if err := run(*dir, *port); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, port int) error {
	if dir == "" {
		return fmt.Errorf("--dir is missing")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()

	// kube-apiserver says a lot; whoever wants to know looks into the file.
	var logs flag.FlagSet
	klog.InitFlags(&logs)
	for name, value := range map[string]string{"logtostderr": "false", "alsologtostderr": "false", "stderrthreshold": "FATAL"} {
		if err := logs.Set(name, value); err != nil {
			return err
		}
	}
	file, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return err
	}
	defer file.Close()
	klog.SetOutput(file)

	store, err := startEtcd(dir)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer store.Close()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	token, err := newToken()
	if err != nil {
		return err
	}
	server, err := configure(ctx, dir, token, store.Clients[0].Addr().String(), listener)
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- app.Run(ctx, server) }()

	client := &rest.Config{
		Host:            "https://" + listener.Addr().String(),
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(dir, "apiserver.crt")},
	}
	if err := waitUntilReady(ctx, client, failed); err != nil {
		return fmt.Errorf("kube-apiserver: %w; see %s", err, file.Name())
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := writeKubeconfig(kubeconfig, client); err != nil {
		return err
	}
	fmt.Println(kubeconfig) // one line: it is ready
	if err := <-failed; err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// startEtcd serves clients on a socket below dir, which only this user can open.
func startEtcd(dir string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.LogLevel = "error"
	config.LogOutputs = []string{filepath.Join(dir, "etcd.log")}
	config.UnsafeNoFsync = true // the data is thrown away with the test
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: filepath.Join(dir, "etcd.sock")}}
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	// Nobody looks these up: it is the only member, and its only client knows the socket.
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = config.ListenPeerUrls, config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case err := <-store.Err():
		return nil, err
	case <-time.After(time.Minute):
		store.Close()
		return nil, fmt.Errorf("not ready after a minute")
	}
}

// configure is what `kube-apiserver FLAGS` does before it runs, with a listener that is open already.
func configure(ctx context.Context, dir, token, etcd string, listener net.Listener) (options.CompletedOptions, error) {
	tokens, key := filepath.Join(dir, "tokens.csv"), filepath.Join(dir, "service-accounts.key")
	if err := os.WriteFile(tokens, []byte(token+",admin,admin,system:masters\n"), 0o600); err != nil {
		return options.CompletedOptions{}, err
	}
	if err := writeKey(key); err != nil {
		return options.CompletedOptions{}, err
	}
	server := options.NewServerRunOptions()
	server.SecureServing.Listener = listener
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, group := range server.Flags().FlagSets {
		flags.AddFlagSet(group)
	}
	err := flags.Parse([]string{
		"--advertise-address=127.0.0.1",
		"--authorization-mode=RBAC",
		"--bind-address=127.0.0.1",
		"--cert-dir=" + dir,                          // made there: apiserver.crt and .key, self-signed
		"--disable-admission-plugins=ServiceAccount", // no controller makes the account `default` of a namespace
		"--endpoint-reconciler-type=none",            // an Endpoints object must not point to loopback
		"--etcd-servers=unix://" + etcd,
		fmt.Sprintf("--secure-port=%d", listener.Addr().(*net.TCPAddr).Port),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key,
		"--service-cluster-ip-range=10.96.0.0/16",
		"--token-auth-file=" + tokens,
	})
	if err != nil {
		return options.CompletedOptions{}, err
	}
	if err := server.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return options.CompletedOptions{}, err
	}
	completed, err := server.Complete(ctx)
	if err != nil {
		return options.CompletedOptions{}, err
	}
	return completed, utilerrors.NewAggregate(completed.Validate())
}

func waitUntilReady(ctx context.Context, config *rest.Config, failed <-chan error) error {
	late := time.After(2 * time.Minute)
	for {
		select {
		case err := <-failed:
			return fmt.Errorf("stopped: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("not ready after two minutes")
		case <-time.After(100 * time.Millisecond):
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		if client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil {
			return nil
		}
	}
}

func writeKubeconfig(path string, client *rest.Config) error {
	config := api.NewConfig()
	config.Clusters["test"] = &api.Cluster{Server: client.Host, CertificateAuthority: client.CAFile}
	config.AuthInfos["admin"] = &api.AuthInfo{Token: client.BearerToken}
	config.Contexts["test"] = &api.Context{Cluster: "test", AuthInfo: "admin"}
	config.CurrentContext = "test"
	return clientcmd.WriteToFile(*config, path)
}

func writeKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	encoded, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, encoded, 0o600)
}

func newToken() (string, error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	return hex.EncodeToString(random), nil
}
