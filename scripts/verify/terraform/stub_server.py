#!/usr/bin/env python3
"""Serves the schema-only provider stubs from one process, so that no terraform command has to start its own.

usage: stub_server.py STUB_PROVIDER NAME=FOLDER...

FOLDER holds the schema.json of hashicorp/NAME and perhaps a data.json, what its data sources answer. Prints one line, the
value of TF_REATTACH_PROVIDERS, and serves until it is told to end. Beside what STUB_PROVIDER does, planned resources lose
their write-only values, as Terraform demands of every provider."""

import json
import os
import pathlib
import sys
import tempfile
from concurrent import futures

import grpc
import tf.runner
from tf.gen import grpc_controller_pb2 as controller_pb
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc


class Controller(controller_rpc.GRPCControllerServicer):
    def Shutdown(self, request, context):
        return controller_pb.Empty()


def servicer(source, folder):
    """The stub's servicer for one schema: its module, run with that folder as its own, without starting a server."""
    sys.argv[0] = str(folder / "provider")
    tf.runner.run_provider = lambda *_: None
    module = {"__name__": "stub"}
    exec(compile(source.read_text(), str(source), "exec"), module)

    class WithoutWriteOnly(module["Servicer"]):
        def PlanResourceChange(self, request, context):
            planned = super().PlanResourceChange(request, context).planned_state
            value = module["load"](planned)
            if value is None:
                return pb.PlanResourceChange.Response(planned_state=planned)
            return pb.PlanResourceChange.Response(
                planned_state=module["dv"]({k: None if k.endswith("_wo") else v for k, v in value.items()}))

    return WithoutWriteOnly()


def main(source, *providers):
    sockets = tempfile.mkdtemp()
    reattach, servers = {}, []
    for provider in providers:
        name, folder = provider.split("=", 1)
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
        rpc.add_ProviderServicer_to_server(servicer(pathlib.Path(source), pathlib.Path(folder)), server)
        controller_rpc.add_GRPCControllerServicer_to_server(Controller(), server)
        path = f"{sockets}/{name}"
        server.add_insecure_port(f"unix://{path}")
        server.start()
        servers.append(server)
        reattach[f"registry.terraform.io/hashicorp/{name}"] = {
            "Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True,
            "Addr": {"Network": "unix", "String": path}}
    print(json.dumps(reattach), flush=True)
    for server in servers:
        server.wait_for_termination()


main(*sys.argv[1:])
