# The daemon keeps ports and flows as they should be.

start_daemon() {
    NO_COLOR=1 flowport daemon >>/tmp/daemon.log 2>&1 &
    daemon=$!
    until_ test -S /run/flowport/flowport.sock || { cat /tmp/daemon.log; return 1; }
}
kill_daemon() {
    kill -9 "$daemon"
    wait "$daemon" 2>/dev/null
    true
}
ports() { ovs-vsctl list-ports br0 | wc -l; }
dp_ports() { ovs-appctl dpctl/show | grep -c ': fp'; }
process_in_namespace() {
    unshare -n sleep 1000 &
    process=$!
    until_ in_own_namespace "$process"
}
in_own_namespace() { test "$(readlink /proc/$1/ns/net)" != "$(readlink /proc/self/ns/net)"; }

containers g h
check "the daemon starts" start_daemon
check "add-br" flowport add-br br0 --address=10.0.0.254/24
check "add-port" flowport add-port br0 eth1 netns:g --ipaddress=10.0.0.1/24
check "add-port of another" flowport add-port br0 eth1 netns:h --ipaddress=10.0.0.2/24
check "ping" until_ pings g 10.0.0.2

process_in_namespace
check "add-port to a process" flowport add-port br0 eth1 "pid:$process" --ipaddress=10.0.0.3/24
check "ping to it" until_ pings g 10.0.0.3
kill -9 "$process"
wait "$process" 2>/dev/null
check "kill -9 takes its port" until_ equal 2 ports
check "in the datapath too" until_ equal 2 dp_ports
check "and its flow entries" until_ fails says 10.0.0.3 flows br0

check "a port that is taken away comes back" sh -c "ovs-vsctl del-port \$(ovs-vsctl list-ports br0 | head -n 1)"
check "with its flow entries" until_ pings g 10.0.0.2
check "a link that is taken away" ip link del "$(ovs-vsctl list-ports br0 | head -n 1)"
check "comes back" until_ pings h 10.0.0.1

flows br0 >/tmp/flows-before
ofports() { ovs-vsctl --columns=name,ofport list Interface | sort; }
ofports >/tmp/ofports-before
process_in_namespace
check "add-port to another process" flowport add-port br0 eth1 "pid:$process" --ipaddress=10.0.0.3/24
check "the daemon is killed" kill_daemon
check "traffic goes on" pings g 10.0.0.2
kill -9 "$process"
wait "$process" 2>/dev/null
check "a daemon starts again" start_daemon
check "and takes away what ended meanwhile" until_ equal 2 ports
as_before() {
    flows br0 >/tmp/flows-now
    ofports >/tmp/ofports-now
    cmp /tmp/flows-before /tmp/flows-now && cmp /tmp/ofports-before /tmp/ofports-now
}
check "and adopts the others as they are" until_ as_before
check "ping" pings g 10.0.0.2

kill -9 "$(cat /run/openvswitch/ovs-vswitchd.pid)"
check "ovs-vswitchd is killed: the kernel goes on forwarding" pings g 10.0.0.2
check "ovs-vswitchd starts again" start_vswitchd /run/openvswitch
check "all flow entries are back" until_ as_before
check "ping" until_ pings g 10.0.0.2
check "ping to the bridge's own address" until_ pings h 10.0.0.254

ip netns del h
check "ip netns del takes its port" until_ equal 1 ports
check "del-port, asked of the daemon" flowport del-port br0 eth1 netns:g
check "no port is left" equal 0 ports
check "no link is left" equal "" host_links
check "del-br" flowport del-br br0
kill "$daemon"
wait "$daemon" 2>/dev/null
test "$failed" -eq 0 || sed 's/^/# daemon: /' /tmp/daemon.log
