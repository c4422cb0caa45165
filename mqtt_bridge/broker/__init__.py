"""MQTT v5 brokers: the embedded one of the demo, and the files of a Mosquitto in production."""

from mqtt_bridge.broker.embedded import BrokerMissing, EmbeddedBroker

__all__ = ["BrokerMissing", "EmbeddedBroker"]
