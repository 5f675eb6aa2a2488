"""Published measurements as data: what spfvar validate holds the model against."""
