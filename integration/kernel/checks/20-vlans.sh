# Networks are apart, on the bridge and on a trunk.

containers c d
check "add-port with a VLAN" flowport add-port br0 eth1 netns:c --ipaddress=10.0.0.3/24 --vlan=100
check "add-port of another in that VLAN" flowport add-port br0 eth1 netns:d --ipaddress=10.0.0.4/24 --vlan=100
check "within a VLAN" until_ pings c 10.0.0.4
check "TCP within a VLAN" tcp d c 10.0.0.4
check "not between networks" unreachable a 10.0.0.3
check "nor back" unreachable c 10.0.0.1
broadcast_stays() {
    in_ c sysctl -q -w net.ipv4.icmp_echo_ignore_broadcasts=0
    before=$(echos c)
    pings a 10.0.0.255 -b && equal "$before" echos c
}
check "a broadcast stays in its network" broadcast_stays
# An address of its own, known to no one: what is tagged inside is dropped.
in_ a ip link add link eth1 name eth1.100 type vlan id 100
in_ a ip address add 10.0.7.1/24 dev eth1.100
in_ a ip link set eth1.100 up
in_ c ip address add 10.0.7.3/24 dev eth1
check "a container cannot tag itself into a network" unreachable a 10.0.7.3
in_ a ip link del eth1.100

check "set-vlan 0" flowport set-vlan br0 eth1 netns:c 0
check "it has changed networks" until_ pings a 10.0.0.3
check "and left the other" unreachable c 10.0.0.4
check "set-vlan back" flowport set-vlan br0 eth1 netns:c 100
check "it is back" until_ pings c 10.0.0.4
check "and has left again" unreachable a 10.0.0.3

# The kernel keeps a packet's outer tag beside the packet: a trunk is where a mistake would show.
ip netns add wire
ip link add trunk0 type veth peer name trunk1 netns wire
ip link set trunk0 up
in_ wire ip link set trunk1 up
in_ wire ip address add 10.1.0.254/24 dev trunk1
in_ wire ip link add link trunk1 name trunk1.100 type vlan id 100
in_ wire ip address add 10.2.0.254/24 dev trunk1.100
in_ wire ip link set trunk1.100 up
containers e f
check "add-br with an uplink" flowport add-br br1 --uplink=trunk0
check "add-port, untagged" flowport add-port br1 eth1 netns:e --ipaddress=10.1.0.1/24
check "add-port, VLAN 100" flowport add-port br1 eth1 netns:f --ipaddress=10.2.0.1/24 --vlan=100
check "untagged over the uplink" until_ pings e 10.1.0.254
check "tagged over the uplink" until_ pings f 10.2.0.254
check "from beyond it, tagged" until_ pings wire 10.2.0.1
check "TCP, tagged over the uplink" tcp wire f 10.2.0.254
check "TCP, untagged over the uplink" tcp e wire 10.1.0.1
check "del-ports of both" flowport del-ports br1 netns:e netns:f
check "del-br" flowport del-br br1
check "the uplink is the host's again" fails ovs-vsctl port-to-br trunk0
ip link del trunk0
