"""The proof tree of a log: where it is kept, what makes it grow, and the check of a whole log against it.

It is made from the log alone and can be made again. What cannot is in the checkpoints: a log's signature at that time.
"""
