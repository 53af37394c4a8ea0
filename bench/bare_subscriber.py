"""What paho alone receives: counts messages, acknowledges each, does nothing else. `python -m bench.bare_subscriber PORT USER COUNT`."""

import sys
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.topics import SUBSCRIPTION


def main() -> None:
    """Prints `ready` when it is subscribed, and seconds from the first to the last message when it has COUNT."""
    port, user, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    received, first_at = 0, 0.0

    def on_message(client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        nonlocal received, first_at
        if not received:
            first_at = time.monotonic()
        received += 1
        client.ack(message.mid, message.qos)
        if received == count:
            print(time.monotonic() - first_at, flush=True)
            client.disconnect()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bare", clean_session=True, manual_ack=True)
    client.username_pw_set(user, sys.stdin.readline().strip())
    client.on_message = on_message
    client.on_connect = lambda client, *_: client.subscribe(SUBSCRIPTION, 1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", port)
    client.loop_forever()


if __name__ == "__main__":
    main()
