"""What the audit trail calls things by code, in words. A code that is new here is shown as it is, made readable."""

from typing import Final

NOUNS: Final = {
    "alert": "Alert",
    "analysis": "Analysis",
    "api_key": "Key for programs",
    "chain": "Escalation chain",
    "dead_letter": "Refused messages",
    "device": "Machine",
    "devices": "Machines",
    "factory": "Factory settings",
    "notification": "Message",
    "report": "Report",
    "rule": "Rule",
    "second_factor": "Second factor",
    "session": "Sign-in",
    "silence": "Silence",
    "upkeep": "Upkeep",
    "user": "Person",
    "webhook": "Webhook",
}
ACTIONS: Final = {
    "alert.acknowledge": "Acknowledged an alert",
    "alert.assign": "Assigned an alert",
    "alert.comment": "Commented on an alert",
    "alert.resolve": "Resolved an alert",
    "analysis.ask": "Asked a question",
    "analysis.order": "Started an analysis",
    "dead_letter.purge": "Purged refused messages",
    "dead_letter.replay": "Replayed refused messages",
    "device.activate": "Switched a machine on",
    "device.deactivate": "Switched a machine off",
    "device.import": "Imported a list of machines",
    "device.key_revoke": "Ended a machine's key",
    "device.key_rotate": "Made a new key for a machine",
    "device.register": "Added a machine",
    "factory.retention": "Changed how long data are kept",
    "factory.tariff": "Changed the energy price",
    "notification.resend": "Sent a message again",
    "notification.trial": "Sent a test message",
    "report.order": "Ordered a report",
    "report.sign_refused": "Was refused to sign a report",
    "report.signed": "Signed a report",
    "rule.toggle": "Switched a rule on or off",
    "second_factor.off": "Turned the second factor off",
    "second_factor.on": "Turned the second factor on",
    "session.close": "Signed out",
    "session.end": "Ended a sign-in",
    "session.open": "Signed in",
    "session.refresh": "Stayed signed in",
    "session.refuse": "Was refused to sign in",
    "upkeep.add": "Wrote down upkeep",
    "user.accept": "Took up an invitation",
    "user.deactivate": "Took away a person's access",
    "user.invite": "Invited a person",
    "user.permissions": "Changed what a person may do",
    "user.reactivate": "Gave a person the access back",
}


def action_words(code: str) -> str:
    """An action, such as `session.open`, in words. Pure."""
    noun, _, verb = code.partition(".")
    return ACTIONS.get(code) or f"{NOUNS.get(noun, noun.replace('_', ' '))}: {verb.replace('_', ' ')}".strip(": ")


def target_words(target: str) -> str:
    """On what it was done, such as `device:12`, in words; sessions are known by a secret's hash, which says nothing to people. Pure."""
    noun, _, key = target.partition(":")
    word = NOUNS.get(noun, noun.replace("_", " "))
    return word if not key or noun == "session" else f"{word} {key}"
