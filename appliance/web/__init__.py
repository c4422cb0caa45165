"""What all screens share: who is calling, signed tokens, problems, CSRF, security headers, languages, the design system.

Rule of this folder: it turns requests into values and values into answers. It decides nothing about bookings, writes no SQL
and knows no page of a particular audience.
"""
