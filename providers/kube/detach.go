package kube

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Handover is a run that a Job in the cluster carries out.
type Handover struct {
	Run            string
	Namespace      string // of the journal
	Image          string // with hubcap as its entrypoint
	ServiceAccount string
	Args           []string // of hubcap
	Config         []byte   // what hubcap there must know; it may hold secrets
	Final          []int32  // exit codes that no other try mends
}

const (
	handoverDir  = "/run/hubcap"
	handoverFile = "config.json"

	// HandoverVariable names the file in which a detached hubcap finds what it
	// must know.
	HandoverVariable = "HUBCAP_DETACHED"

	handoverTries = 6                // Pods that end without a final exit code: evicted, killed, out of memory
	handoverKept  = 7 * 24 * 60 * 60 // seconds after its end
)

// Hand makes the Job, and the Secret that it reads. A Job that was made already is
// left as it is.
func (c *Client) Hand(ctx context.Context, h Handover) error {
	name := "hubcap-run-" + h.Run
	meta := metav1.ObjectMeta{Name: name + "-config", Namespace: h.Namespace, Labels: map[string]string{"hubcap.dev/record": "handover", "hubcap.dev/run": h.Run}}
	secret := &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{handoverFile: h.Config}}
	if _, err := c.Typed.CoreV1().Secrets(h.Namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("hand over run %s: %w", h.Run, err)
	}
	job := h.job(name)
	if _, err := c.Typed.BatchV1().Jobs(h.Namespace).Create(ctx, job, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("hand over run %s: %w", h.Run, err)
	}
	return nil
}

func (h Handover) job(name string) *batchv1.Job {
	tries, kept := int32(handoverTries), int32(handoverKept)
	labels := map[string]string{"app.kubernetes.io/name": "hubcap", "hubcap.dev/run": h.Run}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: h.Namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			BackoffLimit: &tries, TTLSecondsAfterFinished: &kept,
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action:      batchv1.PodFailurePolicyActionFailJob,
				OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: h.Final},
			}}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: h.pod(name)},
		},
	}
}

func (h Handover) pod(name string) corev1.PodSpec {
	yes, no := true, false
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi")}
	return corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, ServiceAccountName: h.ServiceAccount,
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "hubcap", Image: h.Image, Args: h.Args,
			Env: []corev1.EnvVar{
				{Name: HandoverVariable, Value: handoverDir + "/" + handoverFile},
				{Name: "HOME", Value: "/tmp"},
			},
			Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: handoverDir, ReadOnly: true}, {Name: "tmp", MountPath: "/tmp"}},
		}},
		Volumes: []corev1.Volume{
			{Name: "config", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name + "-config"}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		},
	}
}
