// Serves the vSphere API for the tests of `vmferry import vcenter`, from govmomi's simulator.
//
// govmomi's own vcsim program is a Go module of its own that the Go module proxy does not have;
// the simulator it runs is in the library. The flags here are a subset of vcsim's, and -clones and -port-group.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator" // tags, over REST
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func main() {
	model := simulator.VPX()
	listen := flag.String("l", "127.0.0.1:0", "address to listen on")
	user := flag.String("username", "user", "the only user")
	password := flag.String("password", "pass", "its password")
	flag.IntVar(&model.Datacenter, "dc", model.Datacenter, "datacenters")
	flag.IntVar(&model.Cluster, "cluster", model.Cluster, "clusters a datacenter")
	flag.IntVar(&model.ClusterHost, "host", model.ClusterHost, "hosts a cluster")
	flag.IntVar(&model.Host, "standalone-host", model.Host, "standalone hosts a datacenter")
	flag.IntVar(&model.Datastore, "ds", model.Datastore, "datastores")
	flag.IntVar(&model.Machine, "vm", model.Machine, "VMs a resource pool")
	flag.IntVar(&model.Pool, "pool", model.Pool, "resource pools a cluster")
	flag.IntVar(&model.App, "app", model.App, "vApps a cluster")
	flag.IntVar(&model.Pod, "pod", model.Pod, "storage pods a datacenter")
	flag.IntVar(&model.Portgroup, "pg", model.Portgroup, "distributed port groups a datacenter")
	flag.IntVar(&model.PortgroupNSX, "pg-nsx", model.PortgroupNSX, "NSX port groups a datacenter")
	flag.IntVar(&model.OpaqueNetwork, "nsx", model.OpaqueNetwork, "opaque networks a datacenter")
	flag.IntVar(&model.Folder, "folder", model.Folder, "datacenters in a folder")
	flag.BoolVar(&model.Autostart, "autostart", model.Autostart, "power VMs on")
	clones := flag.Int("clones", 0, "further VMs, copies of one of the model's: vcsim takes minutes to make thousands")
	groups := map[string][]int32{}
	flag.Func("port-group", "NAME=VLAN,...: a standard port group, with a VLAN for each host in turn", func(text string) error {
		name, list, _ := strings.Cut(text, "=")
		for _, part := range strings.Split(list, ",") {
			vlan, err := strconv.ParseInt(part, 10, 32)
			if err != nil {
				return err
			}
			groups[name] = append(groups[name], int32(vlan))
		}
		return nil
	})
	flag.StringVar(&model.ServiceContent.About.ApiVersion, "api-version", "8.0.2.0", "version of the API to claim")
	flag.Parse()

	defer model.Remove()
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	service := model.Service
	service.RegisterEndpoints = true
	service.TLS = new(tls.Config)
	service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*user, *password)}
	server := service.NewServer()
	defer server.Close()
	if err := clone(model, *clones); err != nil {
		log.Fatal(err)
	}
	for name, vlans := range groups {
		addPortGroup(model, name, vlans)
	}
	fmt.Printf("https://%s/sdk\n", server.URL.Host) // one line: it is ready

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}

// clone puts copies of one VM beside it, straight into the registry: through the API, thousands take minutes.
func clone(model *simulator.Model, count int) error {
	if count == 0 {
		return nil
	}
	registry := model.Map()
	original := registry.Any("VirtualMachine").(*simulator.VirtualMachine)
	folder := registry.Get(*original.Parent).(*simulator.Folder)
	for number := range count {
		name := fmt.Sprintf("clone-%05d", number)
		copied := &simulator.VirtualMachine{VirtualMachine: original.VirtualMachine}
		copied.Self = types.ManagedObjectReference{Type: "VirtualMachine", Value: fmt.Sprintf("vm-%d", 100000+number)}
		copied.Name = name
		config := *original.Config
		config.Name, config.Uuid, config.InstanceUuid = name, uuid.NewString(), uuid.NewString()
		config.Hardware.Device = slices.Clone(config.Hardware.Device)
		for index, device := range config.Hardware.Device {
			if disk, ok := device.(*types.VirtualDisk); ok {
				own := *disk
				backing := *disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
				backing.FileName = fmt.Sprintf("[LocalDS_0] %s/%s.vmdk", name, name)
				own.Backing = &backing
				config.Hardware.Device[index] = &own
			}
		}
		copied.Config = &config
		registry.PutEntity(folder, copied)
		folder.ChildEntity = append(folder.ChildEntity, copied.Self)
	}
	return nil
}

// addPortGroup puts a standard port group on the hosts: vcsim's AddPortGroup changes no host's config.network.
func addPortGroup(model *simulator.Model, name string, vlans []int32) {
	registry := model.Map()
	known := registry.Any("Network").(*mo.Network)
	folder := registry.Get(*known.Parent).(*simulator.Folder)
	network := &mo.Network{}
	network.Self = types.ManagedObjectReference{Type: "Network", Value: "network-of-" + strings.ReplaceAll(name, " ", "-")}
	network.Name = name
	network.Summary = &types.NetworkSummary{Network: &network.Self, Name: name, Accessible: true}
	hosts := registry.All("HostSystem")
	slices.SortFunc(hosts, func(a, b mo.Entity) int {
		return strings.Compare(a.Entity().Name, b.Entity().Name)
	})
	for index, entity := range hosts {
		host := entity.(*simulator.HostSystem)
		config, on := *host.Config, *host.Config.Network // hosts share them
		group := types.HostPortGroup{Spec: types.HostPortGroupSpec{Name: name, VswitchName: "vSwitch0"}}
		group.Spec.VlanId = vlans[index%len(vlans)]
		on.Portgroup = append(slices.Clone(on.Portgroup), group)
		config.Network = &on
		host.Config = &config
		network.Host = append(network.Host, host.Self)
	}
	registry.PutEntity(folder, network)
	folder.ChildEntity = append(folder.ChildEntity, network.Self)
	center := registry.Get(*folder.Parent).(*simulator.Datacenter)
	center.Network = append(center.Network, network.Self)
}
