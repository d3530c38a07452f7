package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// diskDriver provides what GKE's own storage classes ask for.
const diskDriver = "pd.csi.storage.gke.io"

// A cloud does what Google's controllers do for the objects of a GKE cluster and nothing in Kubernetes does: it
// gives a Service of type LoadBalancer an address, and a claim of one of GKE's storage classes a disk.
type cloud struct {
	api     kubernetes.Interface
	factory informers.SharedInformerFactory
	wake    chan struct{} // holds a token while something may have to be done
}

func newCloud(api kubernetes.Interface) *cloud {
	return &cloud{api: api, factory: informers.NewSharedInformerFactory(api, 0), wake: make(chan struct{}, 1)}
}

// run works until ctx is done. What fails is tried again a second later.
func (c *cloud) run(ctx context.Context, report func(error)) {
	onChange := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { c.poke() },
		UpdateFunc: func(any, any) { c.poke() },
		DeleteFunc: func(any) { c.poke() },
	}
	core := c.factory.Core().V1()
	for _, informer := range []cache.SharedIndexInformer{
		core.Services().Informer(), core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer(),
	} {
		if _, err := informer.AddEventHandler(onChange); err != nil {
			report(err)
			return
		}
	}
	c.factory.Start(ctx.Done())
	c.factory.WaitForCacheSync(ctx.Done())
	for {
		select {
		case <-ctx.Done():
			c.factory.Shutdown()
			return
		case <-c.wake:
		}
		if err := c.settle(ctx); err != nil && ctx.Err() == nil {
			report(err)
			time.AfterFunc(time.Second, c.poke)
		}
	}
}

func (c *cloud) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// settle does all there is to do at the moment.
func (c *cloud) settle(ctx context.Context) error {
	core := c.factory.Core().V1()
	services, err := core.Services().Lister().List(labels.Everything())
	if err != nil {
		return err
	}
	for _, s := range services {
		if err := c.serve(ctx, s); err != nil {
			return fmt.Errorf("give an address to service %s/%s: %w", s.Namespace, s.Name, err)
		}
	}
	claims, err := core.PersistentVolumeClaims().Lister().List(labels.Everything())
	if err != nil {
		return err
	}
	for _, claim := range claims {
		if err := c.provide(ctx, claim); err != nil {
			return fmt.Errorf("make a disk for claim %s/%s: %w", claim.Namespace, claim.Name, err)
		}
	}
	volumes, err := core.PersistentVolumes().Lister().List(labels.Everything())
	if err != nil {
		return err
	}
	for _, v := range volumes {
		if v.Status.Phase != corev1.VolumeReleased || v.Spec.CSI == nil || v.Spec.CSI.Driver != diskDriver ||
			v.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
			continue
		}
		if err := c.api.CoreV1().PersistentVolumes().Delete(ctx, v.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete disk %s: %w", v.Name, err)
		}
	}
	return nil
}

// serve gives a LoadBalancer without an address one that stays with its UID, and takes it from a Service that
// is a LoadBalancer no longer. Nothing listens there.
func (c *cloud) serve(ctx context.Context, s *corev1.Service) error {
	balancer, addressed := s.Spec.Type == corev1.ServiceTypeLoadBalancer, len(s.Status.LoadBalancer.Ingress) > 0
	if balancer == addressed {
		return nil
	}
	changed := s.DeepCopy()
	changed.Status.LoadBalancer.Ingress = nil
	if balancer {
		mode := corev1.LoadBalancerIPModeVIP
		changed.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: balancerIP(string(s.UID)), IPMode: &mode}}
	}
	_, err := c.api.CoreV1().Services(s.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{FieldManager: "gke"})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // the change, when it arrives, wakes us again
	}
	return err
}

// provide makes the volume of a claim that waits for one of our disks; Kubernetes binds the two.
func (c *cloud) provide(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	waits := claim.Annotations["volume.kubernetes.io/storage-provisioner"] == diskDriver &&
		claim.Status.Phase == corev1.ClaimPending && claim.Spec.VolumeName == "" && claim.DeletionTimestamp == nil
	if !waits {
		return nil
	}
	name := "pvc-" + string(claim.UID)
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": diskDriver}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   slices.Clone(claim.Spec.AccessModes),
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              *claim.Spec.StorageClassName,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				CSI: &corev1.CSIPersistentVolumeSource{Driver: diskDriver, VolumeHandle: "sandbox/" + name},
			},
		},
	}
	_, err := c.api.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{FieldManager: "gke"})
	return ignoreExists(err)
}
