"""The one composition root: settings in, running processes out. Everything below gets values and knows no settings.

What runs at a venue is put together in ``device``, what runs in the cloud in ``cloud``.
"""
