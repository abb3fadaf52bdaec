#!/usr/bin/env bash
# Installs the operators that vmferry writes for into the cluster of the current context, and waits until they answer.
# Made for an empty kind cluster of one node; versions.env says which versions. Takes kubectl 1.31 or later, curl, git.
set -euo pipefail

# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/versions.env"

GITHUB=https://github.com
RAW=https://raw.githubusercontent.com
CLONE="timeout=300s" # for kustomize to fetch a repository: its own 27 s are too few for one with a vendor directory

# Some definitions are too large for the annotation of a client-side apply.
apply() {
  kubectl apply --server-side "$@"
}

established() {
  kubectl wait --for=condition=Established --timeout=2m "${@/#/crd/}"
}

available() { # namespace, deployments
  local namespace=$1
  shift
  kubectl wait --namespace "$namespace" --for=create --timeout=10m "${@/#/deployment/}"
  kubectl wait --namespace "$namespace" --for=condition=Available --timeout=10m "${@/#/deployment/}"
}

namespaces() {
  local each
  for each in argocd flux-system konveyor-forklift; do
    kubectl create namespace "$each" --dry-run=client --output=yaml | apply --filename -
  done
}

# https://cert-manager.io/docs/installation/kubectl/: Forklift's certificates are its, on anything but OpenShift.
cert_manager() {
  apply --filename "$GITHUB/cert-manager/cert-manager/releases/download/$CERT_MANAGER/cert-manager.yaml"
  available cert-manager cert-manager cert-manager-cainjector cert-manager-webhook
}

# https://kubevirt.io/user-guide/cluster_admin/installation/. VMPersistentState is on for good since 1.6
# (pkg/virt-config/featuregate/inactive.go).
kubevirt() {
  apply --filename "$GITHUB/kubevirt/kubevirt/releases/download/$KUBEVIRT/kubevirt-operator.yaml"
  established kubevirts.kubevirt.io
  available kubevirt virt-operator
  apply --filename - <<'END'
apiVersion: kubevirt.io/v1
kind: KubeVirt
metadata:
  name: kubevirt
  namespace: kubevirt
spec:
  configuration:
    developerConfiguration:
      useEmulation: true
      featureGates: [HostDevices, PersistentReservation]
END
  kubectl wait --namespace kubevirt --for=condition=Available --timeout=15m kubevirt/kubevirt
}

# README.md of containerized-data-importer, "Deploy it".
cdi() {
  local release="$GITHUB/kubevirt/containerized-data-importer/releases/download/$CDI"
  apply --filename "$release/cdi-operator.yaml"
  established cdis.cdi.kubevirt.io
  available cdi cdi-operator
  apply --filename "$release/cdi-cr.yaml"
  kubectl wait --for=condition=Available --timeout=15m cdis.cdi.kubevirt.io/cdi
}

# README.md of multus-cni, "Quickstart", the thin plugin: there is no daemon for many pods at once to starve. The
# manifest of a tag names the image of the main branch.
multus() {
  curl --fail --silent --show-error --location --retry 3 \
    "$RAW/k8snetworkplumbingwg/multus-cni/$MULTUS/deployments/multus-daemonset.yml" |
    sed "s/\(multus-cni\):snapshot\$/\1:$MULTUS/" | apply --filename -
  established network-attachment-definitions.k8s.cni.cncf.io
  kubectl rollout status --namespace kube-system --timeout=10m daemonset/kube-multus-ds
}

image() { # of Forklift: placeholder, repository
  echo "s|[$]{$1}|quay.io/kubev2v/$2:$FORKLIFT_IMAGES|"
}

# What OLM would do with Forklift's bundle. The index that operator/docs/k8s.md installs from is the main branch's; a
# release branch's bundle is named vrelease-2.12, which is no version, and names main's images
# (.github/workflows/build-push-images.yml, build/forklift-operator-bundle/Containerfile). So here are the objects of
# the tag, with the images of its branch, which move while it lives. As with OLM the operator watches its own namespace
# only: its rights for Deployments and Secrets end there (config/rbac/leader_election_role.yaml).
forklift() {
  kubectl kustomize "$GITHUB/kubev2v/forklift//operator/config/default?ref=$FORKLIFT&$CLONE" | sed \
    -e 's/forklift-operator-system/konveyor-forklift/' \
    -e "s/metadata\.annotations\['olm\.targetNamespaces'\]/metadata.namespace/" \
    -e "$(image API_IMAGE forklift-api)" \
    -e "$(image CONTROLLER_IMAGE forklift-controller)" \
    -e "$(image HYPERV_PROVIDER_SERVER_IMAGE forklift-hyperv-provider-server)" \
    -e "$(image OPENSTACK_POPULATOR_IMAGE openstack-populator)" \
    -e "$(image OPERATOR_IMAGE forklift-operator)" \
    -e "$(image OVA_PROVIDER_SERVER_IMAGE forklift-ova-provider-server)" \
    -e "$(image OVA_PROXY_IMAGE forklift-ova-proxy)" \
    -e "$(image OVIRT_POPULATOR_IMAGE ovirt-populator)" \
    -e "$(image POPULATOR_CONTROLLER_IMAGE populator-controller)" \
    -e "$(image VALIDATION_IMAGE forklift-validation)" \
    -e "$(image VIRT_V2V_IMAGE forklift-virt-v2v)" \
    -e "$(image VIRT_V2V_IMAGE_RHEL9 forklift-virt-v2v-xfs)" \
    -e "$(image VSPHERE_COPY_OFFLOAD_POPULATOR_IMAGE vsphere-copy-offload-populator)" \
    -e 's/[$]{[A-Z0-9_]*}/""/' | apply --filename -
  established forkliftcontrollers.forklift.konveyor.io plans.forklift.konveyor.io providers.forklift.konveyor.io
  available konveyor-forklift forklift-operator
  # hack/deploy-k8s-controller.sh: what else there is needs OpenShift's console.
  apply --filename - <<'END'
apiVersion: forklift.konveyor.io/v1beta1
kind: ForkliftController
metadata:
  name: forklift-controller
  namespace: konveyor-forklift
spec:
  k8s_cluster: "true"
  feature_ui_plugin: "false"
  feature_cli_download: "false"
  feature_ocp_live_migration: "false"
END
  # It fails and is tried again until forklift-api, its own webhook, lets it make the Provider of this cluster.
  kubectl wait --namespace konveyor-forklift --for=condition=Successful --timeout=20m \
    forkliftcontroller/forklift-controller
  available konveyor-forklift forklift-api forklift-controller forklift-validation forklift-volume-populator-controller
}

# hack/release-notes.tmpl of kubernetes-nmstate. Its handler needs NetworkManager, which kind's nodes do not have, so it
# runs on none. The webhook and the admission policy are what is tried here.
nmstate() {
  local each
  for each in nmstate.io_nmstates namespace service_account role role_binding operator; do
    apply --filename "$GITHUB/nmstate/kubernetes-nmstate/releases/download/$NMSTATE/$each.yaml"
  done
  established nmstates.nmstate.io
  available nmstate nmstate-operator
  apply --filename - <<'END'
apiVersion: nmstate.io/v1
kind: NMState
metadata:
  name: nmstate
spec:
  nodeSelector: {vmferry.dev/network-manager: "true"}
END
  kubectl wait --for=condition=Available --timeout=10m nmstate/nmstate
  established nodenetworkconfigurationpolicies.nmstate.io
}

# docs/introduction/getting-started.md of external-secrets. Of it and the rest there are definitions only: nothing would
# be done with the secrets of the examples, and what Flux and Argo CD do is done by hand.
external_secrets() {
  apply --filename "$RAW/external-secrets/external-secrets/$EXTERNAL_SECRETS/deploy/crds/bundle.yaml"
  established externalsecrets.external-secrets.io
}

sealed_secrets() {
  apply --filename "$RAW/bitnami/sealed-secrets/$SEALED_SECRETS/helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml"
  established sealedsecrets.bitnami.com
}

flux() {
  apply --kustomize "$GITHUB/fluxcd/flux2//manifests/crds?ref=$FLUX&$CLONE"
  established gitrepositories.source.toolkit.fluxcd.io kustomizations.kustomize.toolkit.fluxcd.io
}

# docs/operator-manual/installation.md of argo-cd, "Core".
argocd() {
  apply --kustomize "$GITHUB/argoproj/argo-cd//manifests/crds?ref=$ARGOCD&$CLONE"
  established applications.argoproj.io appprojects.argoproj.io
}

for each in namespaces multus cert_manager kubevirt cdi forklift nmstate external_secrets sealed_secrets flux argocd; do
  echo "== $each" >&2
  "$each"
done
