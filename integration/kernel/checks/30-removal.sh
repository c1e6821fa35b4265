# Taking ports away leaves nothing.

mac_of_d=$(in_ d cat /sys/class/net/eth1/address)
check "the port has flow entries" says "$mac_of_d" flows br0
check "del-port" flowport del-port br0 eth1 netns:d
check "its interface is gone" fails in_ d ip link show eth1
check "its flow entries are gone" fails says "$mac_of_d" flows br0
check "the others' forward" pings a 10.0.0.2
check "del-ports of all" flowport del-ports br0 --all
check "no port is left in the database" equal "" ovs-vsctl list-ports br0
check "none in the kernel's datapath" fails sh -c "ovs-appctl dpctl/show | grep ': fp'"
check "no link is left" equal "" host_links
flows br0 >/tmp/flows-now
check "flow entries and groups are as before the first port" cmp /tmp/flows-of-empty-bridge /tmp/flows-now
check "del-br" flowport del-br br0
check "its link is gone" fails ip link show br0
