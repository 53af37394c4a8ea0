"""Why a message, or a part of one, was not accepted. The codes are stored with dead letters; people read the sentences."""

from typing import Final

NOT_JSON: Final = "not_json"
INVALID_UTF8: Final = "invalid_utf8"
TOO_LARGE: Final = "too_large"
TOO_DEEP: Final = "too_deep"
NO_METRICS: Final = "no_metrics"
TOO_MANY_METRICS: Final = "too_many_metrics"
NOT_A_NUMBER: Final = "not_a_number"
NULL_VALUE: Final = "null_value"
BAD_TEXT: Final = "bad_text"
BAD_PARAMETER: Final = "bad_parameter"
TOO_MANY_PARAMETERS: Final = "too_many_parameters"
BAD_TIMESTAMP: Final = "bad_timestamp"
CLOCK: Final = "clock"
TOO_OLD: Final = "too_old"
RETAINED: Final = "retained"
BAD_TOPIC: Final = "bad_topic"
UNKNOWN_FACTORY: Final = "unknown_factory"
UNKNOWN_DEVICE: Final = "unknown_device"
INACTIVE_DEVICE: Final = "inactive_device"
RATE_LIMITED: Final = "rate_limited"
NOT_STORABLE: Final = "not_storable"

REASONS: Final[dict[str, str]] = {
    NOT_JSON: "The payload is not a JSON object.",
    INVALID_UTF8: "The payload is not UTF-8 text.",
    TOO_LARGE: "The payload is larger than 1 MiB.",
    TOO_DEEP: "The payload is nested too deeply.",
    NO_METRICS: 'The payload has no "metrics" object with at least one value in it.',
    TOO_MANY_METRICS: "The message has more than 2,000 metrics.",
    NOT_A_NUMBER: "A metric is neither a finite number nor true, false or a text. The other metrics were kept.",
    NULL_VALUE: "A metric is null. The other metrics were kept.",
    BAD_TEXT: "A text value is longer than 1,000 characters or holds characters that cannot be stored. The other metrics were kept.",
    BAD_PARAMETER: "The name of a metric is empty, longer than 100 characters or not printable. The other metrics were kept.",
    TOO_MANY_PARAMETERS: "The device has 2,000 parameters already; values of further ones are not kept.",
    BAD_TIMESTAMP: "The timestamp is neither ISO 8601 nor a number of seconds or milliseconds since 1970.",
    CLOCK: "The timestamp is more than 5 minutes in the future: the clock of the device is wrong.",
    TOO_OLD: "The timestamp is older than raw readings are kept (RAW_RETENTION_DAYS).",
    RETAINED: "A retained message without a timestamp: nobody knows when it was measured.",
    BAD_TOPIC: "The topic is not factories/{factory}/devices/{device}/telemetry.",
    UNKNOWN_FACTORY: "There is no factory with the short name that the topic gives.",
    UNKNOWN_DEVICE: "The factory has no device with the key that the topic gives. Register it and replay what it sent.",
    INACTIVE_DEVICE: "The device is switched off in FactoryOps.",
    RATE_LIMITED: "The device sent more than DEVICE_MESSAGES_PER_SECOND allows; the last message of each batch is kept here.",
    NOT_STORABLE: "The database refused the message.",
}
