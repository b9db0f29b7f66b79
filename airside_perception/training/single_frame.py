"""A network with a memory as one of single frames: what it answers to the first frame, at the cost of having none."""

from __future__ import annotations

from dataclasses import replace

from airside_perception.errors import AirsideError
from airside_perception.occupancy.network import OccupancyNetwork


def single_frame_network(network: OccupancyNetwork) -> OccupancyNetwork:
    """The same answers as `network` gives without a frame before, from a network that never asks for one.

    Raises:
        AirsideError: it has no memory.
    """
    if not network.spec.previous_volume:
        raise AirsideError(
            "--single-frame: expected a network with a memory (train --previous-volume), got one without"
        )
    single = OccupancyNetwork(replace(network.spec, previous_volume=False))
    state = network.state_dict()
    # Of a memory that holds nothing its bias remains; votes join the features at the same place.
    state["decoder.votes.bias"] = state["decoder.votes.bias"] + state["decoder.previous.bias"]
    single.load_state_dict({name: state[name] for name in single.state_dict()})
    return single.train(network.training)
