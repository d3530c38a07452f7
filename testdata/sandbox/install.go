package main

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// install makes the objects every GKE cluster comes with, and one that only a cluster of simulated pods needs.
func (c *cloud) install(ctx context.Context) error {
	for _, s := range []*storagev1.StorageClass{
		storageClass("standard-rwo", "pd-balanced", "true"),
		storageClass("premium-rwo", "pd-ssd", "false"),
		storageClass("standard", "pd-standard", "false"),
	} {
		if _, err := c.api.StorageV1().StorageClasses().Create(ctx, s, metav1.CreateOptions{}); ignoreExists(err) != nil {
			return fmt.Errorf("make storage class %s: %w", s.Name, err)
		}
	}
	attach := false // there is no machine to attach a disk to
	driver := &storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: diskDriver}, Spec: storagev1.CSIDriverSpec{AttachRequired: &attach}}
	if _, err := c.api.StorageV1().CSIDrivers().Create(ctx, driver, metav1.CreateOptions{}); ignoreExists(err) != nil {
		return fmt.Errorf("make storage driver: %w", err)
	}
	return c.installScheduling(ctx)
}

func storageClass(name, disk, standard string) *storagev1.StorageClass {
	late, remove, expand := storagev1.VolumeBindingWaitForFirstConsumer, corev1.PersistentVolumeReclaimDelete, true
	return &storagev1.StorageClass{
		ObjectMeta:           metav1.ObjectMeta{Name: name, Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": standard}},
		Provisioner:          diskDriver,
		Parameters:           map[string]string{"type": disk},
		VolumeBindingMode:    &late,
		ReclaimPolicy:        &remove,
		AllowVolumeExpansion: &expand,
	}
}

// installScheduling hands the pods that ask for JupyterHub's user scheduler to the real one: the user scheduler
// is itself a pod, of which nothing runs here, and would leave them waiting for ever.
func (c *cloud) installScheduling(ctx context.Context) error {
	const name = "sandbox-user-scheduler"
	meta := metav1.ObjectMeta{Name: name}
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
				},
			}}},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: name, Expression: `object.spec.?schedulerName.orValue("").endsWith("user-scheduler")`,
			}},
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionv1.ApplyConfiguration{
					Expression: `Object{spec: Object.spec{schedulerName: "default-scheduler"}}`,
				},
			}},
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
		},
	}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: meta, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}
	admission := c.api.AdmissionregistrationV1()
	if _, err := admission.MutatingAdmissionPolicies().Create(ctx, policy, metav1.CreateOptions{}); ignoreExists(err) != nil {
		return fmt.Errorf("make scheduling policy: %w", err)
	}
	if _, err := admission.MutatingAdmissionPolicyBindings().Create(ctx, binding, metav1.CreateOptions{}); ignoreExists(err) != nil {
		return fmt.Errorf("bind scheduling policy: %w", err)
	}
	return nil
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
