"""The work of benches/openflow in os-ken: the messages come as hexadecimal arguments; work and nanoseconds go out."""

import sys
import time

from os_ken.ofproto import ofproto_parser, ofproto_v1_3, ofproto_v1_3_parser as parser


class Datapath:
    """What the parser wants to know of a connection."""

    ofproto = ofproto_v1_3
    ofproto_parser = parser


def decode(data):
    version, kind, length, xid = ofproto_parser.header(data)
    return ofproto_parser.msg(Datapath, version, kind, length, xid, data)


def flow_mod():
    matches = parser.OFPMatch(
        in_port=3, eth_type=0x0800, ip_proto=6, ipv4_dst=("10.1.0.0", "255.255.0.0"), tcp_dst=443
    )
    actions = [parser.OFPActionSetField(eth_dst="02:00:00:00:00:07"), parser.OFPActionOutput(7, 0)]
    instructions = [
        parser.OFPInstructionActions(ofproto_v1_3.OFPIT_APPLY_ACTIONS, actions),
        parser.OFPInstructionGotoTable(20),
    ]
    message = parser.OFPFlowMod(
        Datapath,
        table_id=10,
        priority=100,
        out_port=ofproto_v1_3.OFPP_ANY,
        out_group=ofproto_v1_3.OFPG_ANY,
        match=matches,
        instructions=instructions,
    )
    message.set_xid(7)
    return message


def encode(message):
    message.buf = None
    message.serialize()
    return message.buf


def measure(work, *args):
    """The best of some rounds of at least 0.1 s."""
    best = float("inf")
    for _ in range(5):
        calls, start = 0, time.perf_counter_ns()
        while (elapsed := time.perf_counter_ns() - start) < 100_000_000:
            work(*args)
            calls += 1
        best = min(best, elapsed / calls)
    return best


def main():
    wire = [bytes.fromhex(text) for text in sys.argv[1:]]
    message = flow_mod()
    if bytes(encode(message)) != wire[0]:
        sys.exit(f"os-ken writes {bytes(encode(message)).hex()} and not {wire[0].hex()}")
    print("encode flow-mod", measure(encode, message), sep="\t")
    for work, data in zip(("decode flow-mod", "decode packet-in", "decode flow-stats"), wire):
        print(work, measure(decode, data), sep="\t")


main()
