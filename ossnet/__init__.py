"""OSS-Net and what every model of the suite needs."""
