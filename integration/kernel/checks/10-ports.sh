# Two containers on one bridge, and what they may not do.

containers a b
check "add-br on the system datapath" flowport add-br br0 --address=10.0.0.254/24 --address=fd00::254/64
check "it is the kernel's datapath" says 'system@ovs-system' ovs-appctl dpctl/show
flows br0 >/tmp/flows-of-empty-bridge
check "add-port, IPv4 and IPv6" flowport add-port br0 eth1 netns:a --ipaddress=10.0.0.1/24 --ipaddress=fd00::1/64 --gateway=10.0.0.254
check "add-port of another" flowport add-port br0 eth1 netns:b --ipaddress=10.0.0.2/24 --ipaddress=fd00::2/64
check "both are ports of the kernel's datapath" equal 2 sh -c "ovs-appctl dpctl/show | grep -c ': fp'"

check "ping" until_ pings a 10.0.0.2
check "ping over IPv6" until_ pings a fd00::2
check "ping to the bridge's own address" until_ pings a 10.0.0.254
check "ping to the bridge's own address over IPv6" until_ pings a fd00::254
check "ping from the host" ping -c 1 -W 2 10.0.0.1
check "the kernel forwards by itself" says 'eth_type(0x0800).*packets:[1-9]' sh -c "
    ip netns exec a ping -q -c 5 -i 0.2 10.0.0.2 >/dev/null; ovs-appctl dpctl/dump-flows"

check "TX checksum offload stays on" says 'tx-checksum-ip-generic: on' in_ a ethtool -k eth1
check "TSO stays on" says '^tcp-segmentation-offload: on' in_ a ethtool -k eth1
check "TCP" tcp b a 10.0.0.2
check "TCP over IPv6" tcp a b fd00::1
check "MTU 1500" equal 1500 mtu a eth1
check "the largest packet" pings a 10.0.0.2 -M do -s 1472

no_link_local() { ! ip -o -6 address show | grep ' fp.*fe80'; }
check "no link-local address on the host ends" no_link_local

# b's own kernel answers no ARP any more, so that the answer can only be the flow entries'. ovs-vswitchd carries them
# out: the kernel's datapath cannot rewrite ARP.
b_mac=$(in_ b cat /sys/class/net/eth1/address)
in_ b ip link set eth1 arp off
arp_answered() { in_ a arping -c 2 -w 3 -I eth1 10.0.0.2 | grep -i "$b_mac"; }
check "ARP is answered by flow entries" arp_answered
in_ b ip link set eth1 arp on

spoofs() { # OPTION-OF-PING...: b receives nothing of it
    before=$(echos b)
    unreachable a 10.0.0.2 "$@" && equal "$before" echos b
}
in_ a ip address add 10.0.0.99/24 dev eth1
check "another's IPv4 address as source is dropped" spoofs -I 10.0.0.99
check "and as sender of ARP" fails in_ a arping -c 2 -w 3 -s 10.0.0.99 -I eth1 10.0.0.254
check "its own is not" in_ a arping -c 2 -w 3 -s 10.0.0.1 -I eth1 10.0.0.254
in_ a ip address del 10.0.0.99/24 dev eth1
a_mac=$(in_ a cat /sys/class/net/eth1/address)
in_ a ip link set eth1 address 02:00:00:00:00:99
check "another MAC as source is dropped" spoofs
in_ a ip link set eth1 address "$a_mac"
check "its own is not" until_ pings a 10.0.0.2

in_ b sysctl -q -w net.ipv4.icmp_echo_ignore_broadcasts=0
check "broadcast" pings a 10.0.0.255 -b
multicast_arrives() {
    before=$(echos6 b)
    pings a ff02::1%eth1 && fails equal "$before" echos6 b
}
check "multicast over IPv6" multicast_arrives
