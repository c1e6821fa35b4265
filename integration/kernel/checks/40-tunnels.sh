# Two hosts: this one, and a network namespace with an Open vSwitch and so a kernel datapath of its own.

ip netns add host2
ip link add wire0 type veth peer name wire0 netns host2
ip address add 192.168.9.1/24 dev wire0
in_ host2 ip address add 192.168.9.2/24 dev wire0
ip link set wire0 up
in_ host2 ip link set wire0 up
in_ host2 ip link set lo up
host2_ovs=/run/host2
mkdir -p $host2_ovs
check "Open vSwitch on the second host" in_ host2 sh -c ". /lib.sh; start_ovs $host2_ovs"
host2() { in_ host2 env FLOWPORT_DB=unix:$host2_ovs/db.sock FLOWPORT_SOCKET=$host2_ovs/none "$@"; }

containers near far near100 far100
check "add-br" flowport add-br br0
check "add-br on the second host" host2 flowport add-br br0
check "add-port" flowport add-port br0 eth1 netns:near --ipaddress=10.0.0.1/24 --ipaddress=fd00::1/64
check "add-port on the second host" host2 flowport add-port br0 eth1 netns:far --ipaddress=10.0.0.2/24 --ipaddress=fd00::2/64

tunnel() { # KIND MTU OPTION...
    kind=$1
    fits=$2
    shift 2
    check "$kind: add-tunnel $*" flowport add-tunnel br0 tun0 --type="$kind" --remote=192.168.9.2 "$@"
    check "$kind: add-tunnel on the second host" host2 flowport add-tunnel br0 tun0 --type="$kind" --remote=192.168.9.1 "$@"
    check "$kind: ping" until_ pings near 10.0.0.2
    check "$kind: ping over IPv6" until_ pings far fd00::1
    check "$kind: an interface that is new has MTU $fits" new_interface "$fits"
    check "$kind: the largest packet, unfragmented" pings late 10.0.0.2 -M do -s $((fits - 28))
    check "$kind: TCP" tcp far late 10.0.0.2
    check "$kind: TCP the other way" tcp late far 10.0.0.3
    flowport del-port br0 eth1 netns:late
    ip netns del late
}
new_interface() {
    containers late
    flowport add-port br0 eth1 netns:late --ipaddress=10.0.0.3/24 && equal "$1" mtu late eth1
}
end_tunnel() {
    ovs-vsctl del-port br0 tun0
    ovs-vsctl --db=unix:$host2_ovs/db.sock del-port br0 tun0
}

tunnel gre 1462
end_tunnel
tunnel geneve 1450 --key=7
end_tunnel
tunnel vxlan 1450 --key=flow
check "vxlan, key=flow: add-port with VLAN 100" flowport add-port br0 eth1 netns:near100 --ipaddress=10.0.0.11/24 --vlan=100
check "vxlan, key=flow: add-port with VLAN 100 on the second host" host2 flowport add-port br0 eth1 netns:far100 --ipaddress=10.0.0.12/24 --vlan=100
check "vxlan, key=flow: ping within VLAN 100" until_ pings near100 10.0.0.12
check "vxlan, key=flow: networks are apart" unreachable near100 10.0.0.2
check "vxlan, key=flow: and the other way" unreachable near 10.0.0.12
check "the kernel's tunnel carries it" says 'vxlan_sys_4789' ovs-appctl dpctl/show

check "del-ports" flowport del-ports br0 --all
check "del-ports on the second host" host2 flowport del-ports br0 --all
end_tunnel
check "del-br" flowport del-br br0
check "del-br on the second host" host2 flowport del-br br0
check "no link is left on the second host" fails in_ host2 sh -c "ip -o link | grep ': fp'"
for pidfile in $host2_ovs/*.pid; do kill "$(cat "$pidfile")"; done
ip link del wire0
ip netns del host2
