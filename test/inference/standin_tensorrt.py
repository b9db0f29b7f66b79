"""Stand-ins for `tensorrt` and `pycuda.driver`: a "plan" is the ONNX file, the "GPU" is ONNX Runtime on the CPU.

They keep to the parts of both interfaces that the engine uses, and to their manners: tensors are addresses, plans of
another version don't load, builders return None when they fail.
"""

import sys
import types
from typing import ClassVar

import numpy as np
import onnxruntime


class DeviceMemory:
    """A block on the device; everything that touches it goes through its address."""

    blocks: ClassVar[dict] = {}

    def __init__(self, size):
        self.data = np.zeros(size, np.uint8)
        self.address = 4096 * (len(self.blocks) + 1)
        self.blocks[self.address] = self

    def __int__(self):
        return self.address


class Context:
    def __init__(self, content):
        self.session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self.addresses, self.shapes = {}, {}

    def set_input_shape(self, name, shape):
        self.shapes[name] = shape
        return True

    def get_tensor_shape(self, name):
        free = {}
        for node in self.session.get_inputs():
            free.update(zip(node.shape, self.shapes[node.name], strict=True))
        (node,) = [each for each in self.session.get_outputs() if each.name == name]
        return tuple(free.get(size, size) for size in node.shape)

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def execute_async_v3(self, stream):
        kinds = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int32)": np.int32}
        feed = {}
        for node in self.session.get_inputs():
            dtype, shape = kinds[node.type], self.shapes[node.name]
            count = int(np.prod(shape)) * np.dtype(dtype).itemsize
            feed[node.name] = DeviceMemory.blocks[self.addresses[node.name]].data[:count].view(dtype).reshape(shape)
        for node, value in zip(self.session.get_outputs(), self.session.run(None, feed), strict=True):
            flat = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
            DeviceMemory.blocks[self.addresses[node.name]].data[: flat.size] = flat
        return True


class Config:
    def __init__(self, log):
        self.log = log

    def set_flag(self, flag):
        self.log.append(("flag", flag))

    def add_optimization_profile(self, profile):
        self.log.append(("profile", dict(profile.shapes)))

    def create_timing_cache(self, content):
        return types.SimpleNamespace(serialize=lambda: content + b"t")

    def set_timing_cache(self, cache, ignore_mismatch):
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


class Profile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, name, low, usual, high):
        self.shapes[name] = (low, usual, high)


def install(monkeypatch, version="10.7.0", spoil=None, fail=None):
    """Put both stand-ins where imports find them.

    Args:
        version: of TensorRT.
        spoil: function of the ONNX bytes that a build makes of them, for engines that answer wrongly.
        fail: "parse" or "build", for networks that TensorRT doesn't take.

    Returns:
        A list that grows with what builders were told.
    """
    log: list = []

    def create_network(flags):
        log.append(("network", flags))
        return types.SimpleNamespace(content=None)

    class Parser:
        num_errors = 1

        def __init__(self, network, logger):
            self.network = network

        def parse(self, content):
            self.network.content = content
            log.append(("parsed", content))
            return fail != "parse"

        def get_error(self, index):
            return "unsupported operator Zzz"

    class Builder:
        def __init__(self, logger):
            self.create_network = create_network

        def create_builder_config(self):
            return Config(log)

        def create_optimization_profile(self):
            return Profile()

        def build_serialized_network(self, network, config):
            log.append(("build", version))
            content = spoil(network.content) if spoil else network.content
            return None if fail == "build" else version.encode() + b"|" + content

    class Runtime:
        def __init__(self, logger):
            pass

        def deserialize_cuda_engine(self, plan):
            made_by, _, content = plan.partition(b"|")
            if made_by.decode() != version:
                return None
            return types.SimpleNamespace(create_execution_context=lambda: Context(content))

    tensorrt = types.ModuleType("tensorrt")
    tensorrt.__version__ = version
    tensorrt.Logger = type("Logger", (), {"WARNING": 2, "__init__": lambda self, level: None})
    tensorrt.Builder, tensorrt.OnnxParser, tensorrt.Runtime = Builder, Parser, Runtime
    tensorrt.NetworkDefinitionCreationFlag = types.SimpleNamespace(STRONGLY_TYPED=1)
    if int(version.split(".")[0]) < 11:
        tensorrt.BuilderFlag = types.SimpleNamespace(FP16="FP16")

    driver = types.ModuleType("pycuda.driver")
    driver.init = lambda: None
    driver.pagelocked_empty = lambda size, dtype: np.empty(size, dtype)
    driver.mem_alloc = DeviceMemory
    driver.memcpy_htod_async = lambda device, host, stream: device.data.__setitem__(slice(host.size), host)
    driver.memcpy_dtoh_async = lambda host, device, stream: host.__setitem__(slice(None), device.data[: host.size])
    driver.Stream = type("Stream", (), {"handle": 7, "synchronize": lambda self: None})
    device = types.SimpleNamespace(name=lambda: "Stand-in GPU", compute_capability=lambda: (8, 7))
    driver.Context = types.SimpleNamespace(get_device=lambda: device)
    driver.Device = type("Device", (), {"count": staticmethod(lambda: 1)})
    pycuda = types.ModuleType("pycuda")
    pycuda.driver, pycuda.autoprimaryctx = driver, types.ModuleType("pycuda.autoprimaryctx")
    for module in (tensorrt, pycuda, driver, pycuda.autoprimaryctx):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return log
