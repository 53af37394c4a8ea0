"""The messages between a page and the server, for who speaks to pages without a browser: only this folder knows Streamlit."""

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

__all__ = ["BackMsg", "ForwardMsg"]
