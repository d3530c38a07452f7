package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/providers/kube"
)

// A handing is how a run is handed over to a Job in the cluster.
type handing struct {
	detach  bool
	image   string
	account string
}

// imageVariable names the image of detached runs where no flag does.
const imageVariable = "HUBCAP_IMAGE"

// lockPatience is how long a detached run waits for the lock: whoever handed it
// over may not have let go of it yet.
const lockPatience = "10m"

func handingFlags(c *cobra.Command) *handing {
	var h handing
	c.Flags().BoolVar(&h.detach, "detach", false, "hand the run over to a Job in the cluster, and return; status --watch follows it")
	c.Flags().StringVar(&h.image, "detach-image", "", "image with hubcap for --detach (`reference`); default $"+imageVariable)
	c.Flags().StringVar(&h.account, "detach-account", "hubcap", "service account of the Job (`name`), in the namespace of the journal")
	return &h
}

// check refuses what does not fit together.
func (h *handing) check(s *session) error {
	if h.image == "" {
		h.image, _ = s.env(imageVariable)
	}
	if h.detach && h.image == "" {
		return usage("--detach: name an image with hubcap in it with --detach-image or $%s", imageVariable)
	}
	return nil
}

// carryOver prepares the run of p and makes the Job that carries it out.
func (s *session) carryOver(ctx context.Context, e *engine.Engine, a *approval, p *plan.Plan) error {
	withstand()
	ctx, stop := signal.NotifyContext(ctx, append(hangUps(), os.Interrupt, syscall.SIGTERM)...)
	defer stop()
	home, client, err := s.homeOf(ctx, e)
	if err != nil {
		return err
	}
	config, err := detach(e.Config, home)
	if err != nil {
		return err
	}
	e.Leave = a.leave.engine()
	id, err := e.Prepare(ctx, p, config)
	if err != nil {
		return err
	}
	h := kube.Handover{
		Run: id, Namespace: e.Config.Settings.JournalNamespace, Image: a.handing.image, ServiceAccount: a.handing.account,
		Args: a.elsewhere(id), Config: config, Final: finalCodes(),
	}
	if err := client.Hand(ctx, h); err != nil {
		return s.notStarted(id, err.Error())
	}
	start, err := client.AwaitStart(ctx, h)
	switch {
	case start.Failed:
		return s.notStarted(id, "run "+id+" is handed over, and "+start.Reason)
	case err != nil:
		s.warn("hubcap: whether run %s has started could not be told: %v", id, err)
	case !start.Started:
		s.warn("hubcap: run %s has not started: %s", id, start.Reason)
	}
	if s.output == asJSON {
		s.tolerate(s.writeJSON(map[string]string{"format_version": "1.0", "run": id, "outcome": "detached"}))
		return nil
	}
	s.tolerate(s.print(fmt.Sprintf("Handed over: run %s goes on in cluster %s.\nFollow it with: %s\n", id, home, s.again("status", "--watch", id))))
	return nil
}

// notStarted ends an apply whose run was prepared and goes on nowhere, as it seems.
func (s *session) notStarted(id, why string) error {
	return &exit{code: exitHeld, err: fmt.Errorf("%s; nothing of run %s is done yet: %s carries it out here, %s gives it up", why, id, s.again("resume", id), s.again("rollback", id))}
}

// homeOf returns the cluster that keeps the journal.
func (s *session) homeOf(ctx context.Context, e *engine.Engine) (string, *kube.Client, error) {
	home, err := e.Home(ctx)
	if err != nil {
		return "", nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	client := s.clients[home]
	if client == nil {
		return "", nil, errors.New("detach: there is no API server to make a Job in")
	}
	return home, client, nil
}

// elsewhere is how the run is carried out where it goes on.
func (a *approval) elsewhere(id string) []string {
	args := []string{"resume", id, "--auto-approve", "--lock-timeout", lockPatience}
	leave := a.leave.engine()
	for _, name := range slices.Sorted(maps.Keys(leave.Overrides)) {
		args = append(args, "--override", name+"="+leave.Overrides[name])
	}
	for _, address := range leave.AcceptDrift {
		args = append(args, "--accept-drift", address)
	}
	if leave.NoWait {
		args = append(args, "--no-wait")
	}
	if leave.Incident != "" {
		args = append(args, "--during-incident", "--reason", leave.Incident)
	}
	return args
}

// finalCodes are the exit codes that say how a run ended: trying once more would
// not change it. All others are those of a process that died.
func finalCodes() []int32 {
	var codes []int32
	for _, c := range []code{exitIncomplete, exitRolledBack, exitStuck, exitHeld, exitStale, exitDenied, exitUsage} {
		codes = append(codes, int32(c))
	}
	return codes
}
