"""The server: configuration, logins, limits and logs."""
