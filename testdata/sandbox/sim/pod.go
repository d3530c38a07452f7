package sim

import "time"

// The components of pods, by their label "component".
const (
	hubComponent    = "hub"
	proxyComponent  = "proxy"
	binderComponent = "binder"
	userComponent   = "singleuser-server"
	buildComponent  = "binderhub-build"
)

// A Pod is what the model knows of a pod.
type Pod struct {
	Namespace, Name, UID, Component string

	Image       string   // of the first container
	Tags        []string // of all images
	Ready       bool
	Running     bool // its phase is Running
	Deleting    bool
	MemoryLimit int64 // bytes, of the first container; 0: none
	Created     time.Time
}

// A Command is what the model wants done in the cluster. It is carried out later,
// and what came of it is seen in the pods.
type Command interface{ command() }

// CreateUser makes the pod of a user's server.
type CreateUser struct {
	Pod, User, Server, Image string
}

// CreateBuild makes a build pod.
type CreateBuild struct {
	Pod, Repo, Image string
}

// Delete deletes a pod.
type Delete struct{ Pod string }

// SetReady says that the program in a pod has started, as its readiness probe would.
type SetReady struct{ Pod, UID string }

// Restart says that the program in a pod was killed for its memory and starts
// again, as the kubelet would.
type Restart struct{ Pod, UID string }

// podIn returns the pod that a command is about.
func podIn(c Command) string {
	switch c := c.(type) {
	case CreateUser:
		return c.Pod
	case CreateBuild:
		return c.Pod
	case Delete:
		return c.Pod
	case SetReady:
		return c.Pod
	case Restart:
		return c.Pod
	}
	panic("a command without a pod")
}

func (CreateUser) command()  {}
func (CreateBuild) command() {}
func (Delete) command()      {}
func (SetReady) command()    {}
func (Restart) command()     {}
