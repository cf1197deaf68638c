"""Memory shared by all replicas: admission, leases, usage. Whatever stands here fits `ports.Admission`."""
