"""Loads four tables with python-ovs, as the client beside it does. Argument: the server's socket."""

import sys

import ovs.db.idl
import ovs.jsonrpc
import ovs.poller
import ovs.stream

TABLES = ["Open_vSwitch", "Bridge", "Port", "Interface"]


def schema(remote):
    error, stream = ovs.stream.Stream.open_block(ovs.stream.Stream.open(remote))
    assert not error, error
    rpc = ovs.jsonrpc.Connection(stream)
    error, reply = rpc.transact_block(ovs.jsonrpc.Message.create_request("get_schema", ["Open_vSwitch"]))
    rpc.close()
    assert not error, error
    return reply.result


remote = "unix:" + sys.argv[1]
helper = ovs.db.idl.SchemaHelper(schema_json=schema(remote))
for table in TABLES:
    helper.register_table(table)
idl = ovs.db.idl.Idl(remote, helper)
while not idl.has_ever_connected():
    if not idl.run():
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.block()
print(len(idl.tables["Interface"].rows))
