// Asks KubeVirt's own webhooks and controller code what they say of VirtualMachines.
//
// It is built inside a checkout of github.com/kubevirt/kubevirt (see `make help`), whose module is not on the proxy.
// Reads one JSON object a line: first the KubeVirt resource's configuration, then VirtualMachines and the instance types
// and preferences they name. Writes one JSON object a line for each VirtualMachine: what the webhooks for it and for the
// VirtualMachineInstance that is started from it answered, and the VirtualMachine as it would be stored.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	k8sfield "k8s.io/apimachinery/pkg/util/validation/field"

	v1 "kubevirt.io/api/core/v1"
	instancetype "kubevirt.io/api/instancetype/v1beta1"
	"kubevirt.io/client-go/kubecli"
	"kubevirt.io/client-go/kubevirt/fake"
	instancetypeclient "kubevirt.io/client-go/kubevirt/typed/instancetype/v1beta1"

	instancetypeWebhooks "kubevirt.io/kubevirt/pkg/instancetype/webhooks/vm"
	netadmitter "kubevirt.io/kubevirt/pkg/network/admitter"
	storageadmitters "kubevirt.io/kubevirt/pkg/storage/admitters"
	"kubevirt.io/kubevirt/pkg/testutils"
	"kubevirt.io/kubevirt/pkg/virt-api/webhooks"
	"kubevirt.io/kubevirt/pkg/virt-api/webhooks/mutating-webhook/mutators"
	"kubevirt.io/kubevirt/pkg/virt-api/webhooks/validating-webhook/admitters"
	virtconfig "kubevirt.io/kubevirt/pkg/virt-config"
	watch "kubevirt.io/kubevirt/pkg/virt-controller/watch/vm"
)

// verdict is what all webhooks together say of one VirtualMachine.
type verdict struct {
	Namespace string             `json:"namespace"`
	Name      string             `json:"name"`
	Refused   []string           `json:"refused"`
	Warned    []string           `json:"warned"`
	Stored    *v1.VirtualMachine `json:"stored,omitempty"`
}

// client answers for instance types and preferences only; whatever else were asked would panic.
type client struct {
	kubecli.KubevirtClient
	kubevirt *fake.Clientset
}

func (c client) VirtualMachineInstancetype(namespace string) instancetypeclient.VirtualMachineInstancetypeInterface {
	return c.kubevirt.InstancetypeV1beta1().VirtualMachineInstancetypes(namespace)
}

func (c client) VirtualMachineClusterInstancetype() instancetypeclient.VirtualMachineClusterInstancetypeInterface {
	return c.kubevirt.InstancetypeV1beta1().VirtualMachineClusterInstancetypes()
}

func (c client) VirtualMachinePreference(namespace string) instancetypeclient.VirtualMachinePreferenceInterface {
	return c.kubevirt.InstancetypeV1beta1().VirtualMachinePreferences(namespace)
}

func (c client) VirtualMachineClusterPreference() instancetypeclient.VirtualMachineClusterPreferenceInterface {
	return c.kubevirt.InstancetypeV1beta1().VirtualMachineClusterPreferences()
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	if !lines.Scan() {
		fail("there is no configuration to read")
	}
	configuration := v1.KubeVirtConfiguration{}
	decode(lines.Bytes(), &configuration)
	config, _, _ := testutils.NewFakeClusterConfigUsingKVConfig(&configuration)
	kubevirt := client{kubevirt: fake.NewSimpleClientset()}

	output := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		meta := metav1.TypeMeta{}
		if err := json.Unmarshal(lines.Bytes(), &meta); err != nil {
			fail("%v", err)
		}
		if meta.Kind != "VirtualMachine" {
			kubevirt.add(meta.Kind, lines.Bytes())
			continue
		}
		if err := output.Encode(judge(config, kubevirt, bytes.Clone(lines.Bytes()))); err != nil {
			fail("%v", err)
		}
	}
	if err := lines.Err(); err != nil {
		fail("%v", err)
	}
}

// add puts an instance type or preference into the cluster.
func (c client) add(kind string, raw []byte) {
	object := map[string]runtime.Object{
		"VirtualMachineClusterInstancetype": &instancetype.VirtualMachineClusterInstancetype{},
		"VirtualMachineClusterPreference":   &instancetype.VirtualMachineClusterPreference{},
		"VirtualMachineInstancetype":        &instancetype.VirtualMachineInstancetype{},
		"VirtualMachinePreference":          &instancetype.VirtualMachinePreference{},
	}[kind]
	if object == nil {
		fail("kind %s is not known here", kind)
	}
	decode(raw, object)
	if err := c.kubevirt.Tracker().Add(object); err != nil {
		fail("%v", err)
	}
}

// judge lets a VirtualMachine pass what it would pass in a cluster, up to its start.
func judge(config *virtconfig.ClusterConfig, kubevirt client, raw []byte) verdict {
	vm := &v1.VirtualMachine{}
	if err := json.Unmarshal(raw, vm); err != nil {
		return verdict{Refused: []string{err.Error()}}
	}
	result := verdict{Namespace: vm.Namespace, Name: vm.Name}

	mutator := mutators.NewVMsMutator(config, kubevirt)
	review := create(webhooks.VirtualMachineGroupVersionResource, vm.Namespace, raw)
	mutated := mutator.Mutate(review)
	if !result.note("VirtualMachine", mutated) {
		return result
	}
	review.Request.Object.Raw = patched(raw, mutated.Patch)
	validator := admitters.VMsAdmitter{
		VirtClient:              kubevirt,
		InstancetypeAdmitter:    instancetypeWebhooks.NewAdmitter(kubevirt),
		ClusterConfig:           config,
		KubeVirtServiceAccounts: webhooks.KubeVirtServiceAccounts("kubevirt"),
	}
	if !result.note("VirtualMachine", validator.Admit(context.Background(), review)) {
		return result
	}
	stored := &v1.VirtualMachine{}
	decode(review.Request.Object.Raw, stored)
	result.Stored = stored.DeepCopy()

	if _, _, causes := validator.InstancetypeAdmitter.ApplyToVM(stored); len(causes) > 0 {
		result.Refused = append(result.Refused, fmt.Sprintf("VirtualMachineInstance: %v", causes))
		return result
	}
	vmi := watch.SetupVMIFromVM(stored)
	if err := mutators.ApplyNewVMIMutations(vmi, config); err != nil {
		result.Refused = append(result.Refused, fmt.Sprintf("VirtualMachineInstance: %v", err))
		return result
	}
	started, err := json.Marshal(vmi)
	if err != nil {
		fail("%v", err)
	}
	starter := admitters.VMICreateAdmitter{
		ClusterConfig:           config,
		KubeVirtServiceAccounts: webhooks.KubeVirtServiceAccounts("kubevirt"),
		SpecValidators: []admitters.SpecValidator{
			func(field *k8sfield.Path, spec *v1.VirtualMachineInstanceSpec, config *virtconfig.ClusterConfig) []metav1.StatusCause {
				return netadmitter.Validate(field, spec, config)
			},
			storageadmitters.Validate,
		},
	}
	review = create(webhooks.VirtualMachineInstanceGroupVersionResource, vm.Namespace, started)
	result.note("VirtualMachineInstance", starter.Admit(context.Background(), review))
	return result
}

// note takes an answer down, and tells whether it lets the object pass.
func (v *verdict) note(kind string, response *admissionv1.AdmissionResponse) bool {
	for _, warning := range response.Warnings {
		v.Warned = append(v.Warned, kind+": "+warning)
	}
	if response.Allowed {
		return true
	}
	message := "refused"
	if response.Result != nil {
		message = response.Result.Message
	}
	v.Refused = append(v.Refused, kind+": "+message)
	return false
}

func create(resource metav1.GroupVersionResource, namespace string, raw []byte) *admissionv1.AdmissionReview {
	return &admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		Operation: admissionv1.Create,
		Resource:  resource,
		Namespace: namespace,
		Object:    runtime.RawExtension{Raw: raw},
	}}
}

func patched(raw, patch []byte) []byte {
	decoded, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		fail("%v", err)
	}
	result, err := decoded.Apply(raw)
	if err != nil {
		fail("%v", err)
	}
	return result
}

func decode(raw []byte, into any) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		fail("%v", err)
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}
