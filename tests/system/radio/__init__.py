"""The hotspot over the air: a booted Debian 13 guest with simulated radios (mac80211_hwsim), set up by the role ``hotspot`` itself.

One radio is the access point's, one the second Wi-Fi's, one stands for somebody else's Wi-Fi that leads to the internet, and each phone has
its own in a network of its own. hostapd, dnsmasq, nftables and networkd run as the units of the role; phones associate, ask for an address,
are captured and book as real ones do. ``scenario.py`` needs nothing but Python's own library and ``tests.support``, so that it runs in the
booted image as well.
"""
