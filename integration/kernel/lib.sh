# What the checks share.

checks=0
failed=0

# check WHAT COMMAND...: one line for it, and on failure what the command said.
check() {
    what=$1
    shift
    checks=$((checks + 1))
    from=$(uptime_cs)
    if "$@" >/tmp/said 2>&1; then
        echo "ok $checks - $what ($(seconds_since "$from") s)"
    else
        failed=$((failed + 1))
        echo "FAILED $checks - $what ($(seconds_since "$from") s): $*"
        sed 's/^/    /' /tmp/said
    fi
}

# Hundredths of a second since the machine started.
uptime_cs() {
    read -r up _ </proc/uptime
    echo "${up%.*}${up#*.}"
}

older_than() { test "$(uptime_cs)" -gt "$1"; }

seconds_since() {
    awk "BEGIN { printf \"%.2f\", ($(uptime_cs) - $1) / 100 }"
}

# until_ COMMAND...: as soon as it succeeds; fails when it has not within 10 s.
until_() {
    end=$(($(uptime_cs) + 1000))
    while ! "$@" >/tmp/until 2>&1; do
        test "$(uptime_cs)" -lt "$end" || { cat /tmp/until; return 1; }
        usleep 50000
    done
}

# fails COMMAND...: it ends with a failure of its own; that it is not found is none.
fails() {
    "$@"
    status=$?
    test "$status" -ne 0 && test "$status" -lt 126
}

# equal WANTED COMMAND...: what the command prints.
equal() {
    wanted=$1
    shift
    found=$("$@")
    test "$found" = "$wanted" || { echo "wanted: $wanted"; echo "found: $found"; return 1; }
}

# says TEXT COMMAND...: the command prints TEXT somewhere.
says() {
    text=$1
    shift
    "$@" >/tmp/says 2>&1
    grep -q -e "$text" /tmp/says || { cat /tmp/says; return 1; }
}

in_() { ip netns exec "$@"; }

containers() {
    for name in "$@"; do ip netns add "$name" && in_ "$name" ip link set lo up; done
}

# pings FROM TARGET [OPTION]...: an echo request is answered.
pings() {
    from_ns=$1
    target=$2
    shift 2
    in_ "$from_ns" ping -n -q -c 1 -W 1 "$@" "$target"
}

# unreachable FROM TARGET [OPTION]...: none of three echo requests is answered.
unreachable() {
    from_ns=$1
    target=$2
    shift 2
    in_ "$from_ns" ping -n -q -c 3 -i 0.2 -W 1 "$@" "$target"
    test $? -eq 1
}

# echos NETNS: how many IPv4 echo requests it has received.
echos() { in_ "$1" awk '/^Icmp:/ && names++ { print $9 }' /proc/net/snmp; }

# echos6 NETNS: and IPv6.
echos6() { in_ "$1" awk '$1 == "Icmp6InEchos" { print $2 }' /proc/net/snmp6; }

# tcp SERVER CLIENT ADDRESS: 8 MB arrive as they were sent.
tcp() {
    test -e /tmp/8mb || head -c 8388608 /dev/urandom >/tmp/8mb
    rm -f /tmp/received
    in_ "$1" nc -l -p 5001 -e sh -c 'cat >/tmp/received' &
    server=$!
    until_ listens "$1" && in_ "$2" timeout 20 nc "$3" 5001 </tmp/8mb && until_ cmp /tmp/8mb /tmp/received
    arrived=$?
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    return $arrived
}
listens() { in_ "$1" netstat -ltn | grep -q ':5001 '; }

mtu() { in_ "$1" cat "/sys/class/net/$2/mtu"; }

# flows BRIDGE: its flow entries and groups without what changes by itself.
flows() {
    ovs-ofctl -O OpenFlow13 dump-flows --no-stats --names "$1" | grep -v '^NXST\|^OFPST' | sort
    ovs-ofctl -O OpenFlow13 dump-groups "$1" | grep group_id | sort
}

# host_links: the ends that containers' interfaces have on the host.
host_links() { ip -o link show type veth | sed -n 's/^[0-9]*: \(fp[^@:]*\).*/\1/p'; }

# start_ovs RUNDIR: an empty Open vSwitch in this network namespace.
start_ovs() {
    mkdir -p "$1"
    ovsdb-tool create "$1/conf.db" /usr/share/openvswitch/vswitch.ovsschema
    OVS_RUNDIR=$1 ovsdb-server "$1/conf.db" --remote="punix:$1/db.sock" --pidfile --detach --no-chdir \
        --log-file="$1/ovsdb-server.log" -vconsole:off
    ovs-vsctl --db="unix:$1/db.sock" --no-wait init
    start_vswitchd "$1"
}

start_vswitchd() {
    OVS_RUNDIR=$1 ovs-vswitchd "unix:$1/db.sock" --pidfile --detach --no-chdir --log-file="$1/ovs-vswitchd.log" -vconsole:off
}

kernel_is_content() { ! dmesg | grep -A 20 -e 'BUG:' -e 'WARNING:' -e 'Call Trace'; }
