"""Sign-on elsewhere: OAuth 2 and OpenID Connect, as far as no table is concerned."""
