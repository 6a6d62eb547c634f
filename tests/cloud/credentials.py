"""Who may call: the fixed key of this cloud, and temporary keys from its STS."""
import secrets


class Identity:
    __slots__ = ("access_key", "secret", "token", "expires", "arn", "user_id")

    def __init__(self, access_key, secret, token=None, expires=None, arn="", user_id=""):
        self.access_key, self.secret, self.token = access_key, secret, token
        self.expires, self.arn, self.user_id = expires, arn, user_id


class Credentials:
    def __init__(self, account, clock):
        self.account, self.clock = account, clock
        self.root = Identity(
            "AKIALOCALCLOUD000001", "local/cloud+secret/key/that+is/not+secret", None, None,
            f"arn:aws:iam::{account}:user/local", "AIDALOCALCLOUD000001",
        )
        self._known = {self.root.access_key: self.root}

    def find(self, access_key):
        return self._known.get(access_key)

    def issue(self, role_arn, session, seconds):
        """Temporary credentials of an assumed role."""
        role = role_arn.rsplit("/", 1)[-1]
        account = role_arn.split(":")[4] or self.account
        identity = Identity(
            "ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30),
            "FwoG" + secrets.token_urlsafe(120) + "/+==", self.clock.now() + seconds,
            f"arn:aws:sts::{account}:assumed-role/{role}/{session}", f"AROALOCALCLOUD000001:{session}",
        )
        self._known[identity.access_key] = identity
        return identity
