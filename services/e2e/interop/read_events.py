"""Reads messages of a stream as CloudEvents, by the NATS protocol binding.

Usage: read_events.py NATS_URL STREAM CONSUMER COUNT DESCRIPTORS

DESCRIPTORS is a file with a FileDescriptorSet of the contracts. For each event one line is
printed: its attributes as NAME=VALUE in order of their names, then the SHA-256 of the data
and two fields of the decoded data, separated by tabs. A time is printed in microseconds.
"""

import asyncio
import hashlib
import sys
from datetime import datetime, timezone
from urllib.parse import urlparse

import nats
from cloudevents.core.bindings.common import decode_header_value, get_event_factory_for_version
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def cloud_event(msg):
    """Returns the CloudEvent of a message in binary content mode, which the library checks."""
    headers = {name.lower(): value for name, value in (msg.headers or {}).items()}
    if headers.get("content-type", "").startswith("application/cloudevents"):
        raise ValueError("the message is in structured content mode")
    attributes = {}
    for name, value in headers.items():
        if name.startswith("ce-"):
            attribute = name.removeprefix("ce-")
            attributes[attribute] = decode_header_value(attribute, value)
    for required in ("id", "source", "type", "specversion", "time"):
        if required not in attributes:  # the library would make some of them up
            raise ValueError(f"the message has no {required}")
    return get_event_factory_for_version(attributes["specversion"])(attributes, msg.data)


def decoder(path):
    """Returns a function that decodes the data of an event by its dataschema."""
    files = descriptor_pb2.FileDescriptorSet()
    with open(path, "rb") as f:
        files.ParseFromString(f.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)

    def decode(event):
        name = urlparse(event.get_dataschema()).fragment
        message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
        message.ParseFromString(event.get_data())
        return message

    return decode


def line(event, message):
    """Describes an event and its decoded data."""
    fields = []
    for name, value in sorted(event.get_attributes().items()):
        if isinstance(value, datetime):
            value = (value - EPOCH) // (datetime.resolution)
        fields.append(f"{name}={value}")
    fields.append("sha256=" + hashlib.sha256(event.get_data()).hexdigest())
    fields.append(f"body.programme={message.programme}")
    fields.append(f"body.sequence={message.sequence}")
    return "\t".join(fields)


async def main(url, stream, consumer, count, descriptors):
    decode = decoder(descriptors)
    connection = await nats.connect(url, allow_reconnect=False)
    try:
        subscription = await connection.jetstream().pull_subscribe_bind(consumer, stream)
        left = int(count)
        while left > 0:
            for msg in await subscription.fetch(left, timeout=10):
                event = cloud_event(msg)
                print(line(event, decode(event)))
                await msg.ack()
                left -= 1
    finally:
        await connection.close()


asyncio.run(main(*sys.argv[1:]))
