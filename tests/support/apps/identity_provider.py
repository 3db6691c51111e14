"""An identity provider for tests: it believes every user who they say they are.

    python identity_provider.py PORT

`/authorize?as=USER` logs USER in. The code that it gives is the user's name.
"""

import asyncio
import base64
import json
import sys

import tornado.web


class Authorize(tornado.web.RequestHandler):
    def get(self):
        back = self.get_query_argument("redirect_uri")
        state = self.get_query_argument("state")
        user = self.get_query_argument("as", "ann")
        self.redirect(f"{back}?code={user}&state={state}")


class Token(tornado.web.RequestHandler):
    def post(self):
        user = self.get_body_argument("code")
        claims = json.dumps({"email": user, "sub": user}).encode()
        body = base64.urlsafe_b64encode(claims).decode().rstrip("=")
        header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        token = f"{header}.{body}."
        self.write({"access_token": user, "id_token": token, "token_type": "bearer"})


class User(tornado.web.RequestHandler):
    def get(self):
        user = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.write({"email": user, "sub": user})


async def main():
    routes = [("/authorize", Authorize), ("/token", Token), ("/user", User)]
    tornado.web.Application(routes).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
