# Many ports in one go.

MANY=200
seq $MANY | sed 's/^/netns add m/' >/tmp/namespaces
ip -batch /tmp/namespaces
for n in $(seq $MANY); do
    echo "{\"container\":\"netns:m$n\",\"interface\":\"eth1\",\"ipaddress\":[\"10.3.$((n / 100)).$((n % 100 + 1))/16\",\"fd03::$n/64\"]}"
done >/tmp/ports

in_datapath() { ovs-appctl dpctl/show | grep -c ': fp'; }
check "add-br" flowport add-br br0 --address=10.3.9.9/16
check "$MANY ports by one add-ports" flowport add-ports br0 /tmp/ports --timeout=60
check "all are in the kernel's datapath" equal $MANY in_datapath
check "ping from the first to the last" until_ pings m1 "10.3.$((MANY / 100)).$((MANY % 100 + 1))"
check "ping from the last to the first over IPv6" until_ pings m$MANY fd03::1
check "TCP between two of them" tcp m17 m150 10.3.0.18
# One packet, as many copies as the network has ports.
in_ m120 sysctl -q -w net.ipv4.icmp_echo_ignore_broadcasts=0
check "broadcast" pings m1 10.3.255.255 -b
check "del-ports of all" flowport del-ports br0 --all --timeout=60
check "none is in the kernel's datapath" equal 0 in_datapath
check "no link is left" equal "" host_links
check "del-br" flowport del-br br0
