"""The key of a machine, shown once: right after it was made, until the person has put it away."""

from urllib.parse import urlsplit

import streamlit as st

from dashboards import resources, ui
from ingest.registration import Credentials
from warehouse.settings import Settings

_KEY = "fresh-key"


def remember(made: Credentials) -> None:
    """Keeps a key that was just made for the next run of this tab. It is nowhere else."""
    st.session_state[_KEY] = made


def show_once(device_key: str | None = None) -> None:
    """Draws the key that was just made, if there is one (of this machine, when it is named), with all that the machine needs."""
    made: Credentials | None = st.session_state.get(_KEY)
    if made is None or device_key not in {None, made.device_key}:
        return
    host, port, is_tls = broker_address(resources.installation().settings)
    with st.container(key="card-fresh-key"):
        ui.draw(
            ui.section(f"Key of {made.device_key}"),
            '<p class="sentence">This is the only time that the key can be seen. Put it into the machine now.</p>',
        )
        st.code(
            f"broker    {host}:{port}{'  (TLS)' if is_tls else ''}\nuser      {made.user_name}\nkey       {made.password}\n"
            f"topic     {made.topic}",
            language=None,
        )
        st.caption("To try it from a shell:")
        secure = " --capath /etc/ssl/certs" if is_tls else ""
        st.code(
            f"mosquitto_pub -h {host} -p {port}{secure} -q 1 -u '{made.user_name}' -P '{made.password}' -t '{made.topic}' "
            '-m \'{"metrics": {"power": 1200}}\'',
            language="bash",
            wrap_lines=True,
        )
        if st.button("I have put it away", type="primary", key="fresh-key-seen"):
            del st.session_state[_KEY]
            st.rerun()


def broker_address(settings: Settings) -> tuple[str, int, bool]:
    """Host and port at which machines reach the broker, and whether they must speak TLS."""
    host = settings.mqtt_broker_host or urlsplit(settings.app_url).hostname or settings.mqtt_listen_host
    is_tls = bool(settings.mqtt_tls_certificate)
    return host, settings.mqtt_tls_port if is_tls else settings.mqtt_broker_port, is_tls
