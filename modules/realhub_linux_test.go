package modules_test

import "syscall"

// An interrupted test takes its hub along, which then stops its servers and its
// services.
func init() {
	bindToParent = func(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGTERM }
}
