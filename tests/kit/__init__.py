"""What tests of whole processes share: an application, hosts of their own, a diary, a look into the tables, bounded waits."""
