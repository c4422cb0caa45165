"""The application on the appliance: portal, desk and console over one set of use cases."""
